/**
 * The composition root: everything of one coordinator, built in order, stopped in reverse.
 *
 *   keys ─► database ─► operator's key, service levels ─► workers (assign, judge, escalate, send) ─► API ─► probe link
 */
import { join } from 'node:path'
import { errorMessage, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { type Runtime, sleep, uuidv7 } from '../common/runtime.ts'
import { ensureOperatorKey } from './api/auth.ts'
import { ensureServiceLevels } from './api/presets.ts'
import { buildServer } from './api/server.ts'
import type { CoordinatorConfig } from './config.ts'
import { assignNext, reviewAssignments } from './flow/assign.ts'
import type { DatabaseContext } from './flow/context.ts'
import { escalateNext } from './flow/escalate.ts'
import { reviewFleet } from './flow/fleet.ts'
import { judgeNext } from './flow/judge.ts'
import { Outgoing, type SendContext, sendNextPage } from './flow/send-pages.ts'
import { surveyNext } from './flow/surveys.ts'
import { startWorker, type Worker } from './flow/worker.ts'
import { createGateways } from './gateways/config.ts'
import { startHub } from './hub/server.ts'
import { loadCoordinatorKeys } from './keys.ts'
import { createMetrics } from './metrics.ts'
import { nextAssignmentDue } from './store/assignments.ts'
import type { Due } from './store/clock.ts'
import { type Database, openDatabase } from './store/database.ts'
import { startEmbeddedPostgres } from './store/embedded.ts'
import { isConnectionFault } from './store/faults.ts'
import { flowStore } from './store/flow-store.ts'
import { tidyUp } from './store/housekeeping.ts'
import { nextStepDue } from './store/incident-log.ts'
import { nextJudgementDue } from './store/judging.ts'
import { nextPageDue } from './store/outbox.ts'
import { beat, signOff } from './store/probe-link.ts'
import { nextSurveyDue } from './store/surveys.ts'
import { version } from './version.ts'

export type RunningCoordinator = {
  /** Finishes what is under way and closes everything. */
  stop(): Promise<void>
}

export type CoordinatorOptions = {
  config: CoordinatorConfig
  runtime: Runtime
  logger: Logger
  /** Shows the operator's key that was made, and the SMS of the `console` gateway. */
  write: (text: string) => void
  /** Called where the coordinator cannot go on. */
  onFatal: (error: Error) => void
}

/** Results can be received as long as the last beat is no older than this allows (store/judging.ts, store/outbox.ts). */
const beatMs = 1_000
const reviewMs = 10_000
/** A gateway may be silent for 10 s, with each of them: the others must not wait for that. */
const pagesAtOnce = 8
const tidyMs = 3_600_000
/** A start that the database interrupts again and again is given up after so long. */
const startMsMax = 60_000
const startPauseMs = 500

/** A database that goes away while we start is waited for as one that is not there yet: nothing of what was done so far is lost. */
export async function startCoordinator(options: CoordinatorOptions): Promise<RunningCoordinator> {
  const { config, runtime, logger } = options
  const givenUpMs = runtime.monotonicMs() + startMsMax
  for (;;) {
    try {
      return await startOnce(options)
    } catch (error) {
      if (config.databaseUrl === null || !isConnectionFault(error) || runtime.monotonicMs() > givenUpMs) throw error
      logger.warn({ reason: errorMessage(error) }, 'the database went away during the start, which is tried again')
      await sleep(runtime, startPauseMs)
    }
  }
}

async function startOnce({ config, runtime, logger, write, onFatal }: CoordinatorOptions): Promise<RunningCoordinator> {
  const closers: (() => Promise<void>)[] = []
  const stop = async () => {
    for (const close of closers.splice(0).reverse()) {
      await close().catch((error: unknown) => logger.error({ err: error }, `while stopping: ${errorMessage(error)}`))
    }
  }
  try {
    const keys = loadCoordinatorKeys(config.dataDir, runtime)
    const database = await openCoordinatorDatabase({ config, runtime, logger, onFatal }, closers)
    const gateways = createGateways(config.gateways, { runtime, write })
    const context: DatabaseContext = {
      database,
      store: flowStore(database.system),
      runtime,
      logger,
      coordinatorId: uuidv7(runtime),
      operatorPhone: config.operatorPhone,
    }
    closers.push(await keepBeating(context))

    const { created } = await ensureOperatorKey({ database, runtime }, config.operatorKey ?? undefined)
    if (created !== undefined) write(`\n  The operator's key, shown this once:\n\n    ${created}\n\n`)
    await ensureServiceLevels({ database, runtime })

    closers.push(await startWorkers({ ...context, gateways, outgoing: new Outgoing() }))
    const metrics = createMetrics(database)
    const server = await buildServer({
      ...context,
      version,
      keys,
      registry: metrics.registry,
      webRoot: join(import.meta.dirname, '../dist/web'),
    })
    closers.push(() => server.close())
    const hub = await startHub({ ...context, keys, references: config.references }, server.server)
    closers.push(() => hub.close())
    metrics.watch(hub)
    await server.listen({ port: config.port, host: config.host }).catch((error: unknown) => {
      throw new MailscoutError('CONFLICT', `PORT ${config.port} cannot be used: ${errorMessage(error)}`)
    })
    if (config.references.length === 0) {
      logger.warn(
        'MAILSCOUT_REFERENCES is empty: probes cannot prove their health by control trips, and a single failing monitor stays unconfirmed',
      )
    }
    logger.info({ port: config.port, url: config.publicUrl, version, root_key: keys.rootX }, 'coordinator ready')
    return { stop }
  } catch (error) {
    await stop()
    throw error
  }
}

type Opening = Pick<CoordinatorOptions, 'config' | 'runtime' | 'logger' | 'onFatal'>

async function openCoordinatorDatabase(
  { config, runtime, logger, onFatal }: Opening,
  closers: (() => Promise<void>)[],
): Promise<Database> {
  if (config.databaseUrl !== null) {
    const database = await openDatabase({ address: config.databaseUrl, logger, runtime })
    closers.push(() => database.close())
    return database
  }
  const embedded = await startEmbeddedPostgres({
    dataDir: config.dataDir,
    logger,
    runtime,
    onUnexpectedExit: () =>
      onFatal(new Error('The embedded PostgreSQL has ended; start the coordinator again, its data are safe')),
  })
  closers.push(() => embedded.stop())
  const database = await openDatabase({ address: embedded.connection, logger, runtime })
  closers.push(() => database.close())
  return database
}

/** Tells the other coordinators, and our successor, until when we were alive. */
async function keepBeating({ database, runtime, coordinatorId, logger }: DatabaseContext): Promise<() => Promise<void>> {
  await beat(database.system, coordinatorId)
  return repeat(
    runtime,
    beatMs,
    async () => {
      await beat(database.system, coordinatorId).catch((error: unknown) =>
        logger.error({ reason: errorMessage(error) }, 'no heartbeat'),
      )
    },
    () => signOff(database.system, coordinatorId),
  )
}

async function startWorkers(context: DatabaseContext & SendContext): Promise<() => Promise<void>> {
  const { database, runtime, logger } = context
  const start = (name: string, concurrency: number, runOne: () => Promise<boolean>, nextDue: () => Promise<Due | null>) =>
    startWorker({ name, runtime, logger, concurrency, runOne, nextDue })
  const workers: Record<'assign' | 'judge' | 'escalate' | 'pages' | 'surveys', Worker> = {
    assign: start(
      'assign',
      1,
      () => assignNext(context),
      () => nextAssignmentDue(database.system),
    ),
    judge: start(
      'judge',
      2,
      () => judgeNext(context),
      () => nextJudgementDue(database.system),
    ),
    escalate: start(
      'escalate',
      1,
      () => escalateNext(context),
      () => nextStepDue(database.system),
    ),
    pages: start(
      'pages',
      pagesAtOnce,
      () => sendNextPage(context),
      () => nextPageDue(database.system),
    ),
    surveys: start(
      'surveys',
      1,
      () => surveyNext(context),
      () => nextSurveyDue(database.system),
    ),
  }
  const stopWorkers = async () => {
    await Promise.all(Object.values(workers).map((worker) => worker.stop()))
  }
  const unlisten = await Promise.all(
    (['assign', 'judge', 'pages'] as const).map((channel) =>
      database.listen(
        channel,
        () => workers[channel].wake(),
        () => workers[channel].wake(),
      ),
    ),
  ).catch(async (error: unknown) => {
    // The start is tried again, with workers of its own.
    await stopWorkers()
    throw error
  })
  const every = (pauseMs: number, what: string, work: () => Promise<void>) =>
    repeat(runtime, pauseMs, () =>
      work().catch((error: unknown) => logger.error({ err: error }, `${what}: ${errorMessage(error)}`)),
    )
  const stops = [
    every(reviewMs, 'reviewing assignments', () => reviewAssignments(context)),
    every(reviewMs, 'reviewing the fleet', () => reviewFleet(context)),
    every(tidyMs, 'tidying up', async () => logger.debug({ removed: await tidyUp(database.system) }, 'tidied up')),
  ]
  return async () => {
    await Promise.all(stops.map((stop) => stop()))
    await Promise.all(unlisten.map((end) => end()))
    await stopWorkers()
  }
}

/** Runs `work` again and again, `pauseMs` after it ended; the returned function stops it and then runs `last`. */
function repeat(
  runtime: Runtime,
  pauseMs: number,
  work: () => Promise<void>,
  last: () => Promise<void> = async () => {},
): () => Promise<void> {
  let stopped = false
  let cancel = () => {}
  let running = Promise.resolve()
  const next = () => {
    if (stopped) return
    cancel = runtime.setTimer(pauseMs, () => {
      running = work().finally(next)
    })
  }
  next()
  return async () => {
    stopped = true
    cancel()
    await running
    await last()
  }
}
