/**
 * Everything between the probe and its coordinators, put together: orders and jobs come in, records go out.
 *
 *   link ─► frames ─► orders, jobs          spool ─► reporter ─► link
 */
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import type { Health, Job } from '../common/wire/test.ts'
import { OrderBook, type Orders } from './assignments.ts'
import { createCoordinatorKeys } from './coordinator-keys.ts'
import { createFrameHandler } from './frames.ts'
import type { Identity } from './identity.ts'
import { createJobs } from './jobs.ts'
import { Link } from './link.ts'
import { Reporter } from './report.ts'
import { createSpool, type Spool } from './spool.ts'
import type { Store } from './store.ts'

/** What the rest of the probe brings. */
type Parts = {
  health: () => Health
  /** Called once a job, after it has been recorded; it must start before `startBeforeMs` (UTC). */
  onJob: (job: Job, startBeforeMs: number) => void
}

export type Coordination = {
  readonly spool: Spool
  readonly orders: Orders
  /** Dials. */
  start(parts: Parts): void
  /** Records were put into the spool. */
  wake(): void
  isConnected(): boolean
  /** What keeps us from every coordinator until somebody mends it here. */
  trouble(): string | undefined
  ordersVersion(): number
  counts(): ReturnType<Reporter['counts']>
  /** Resolves when the coordinator has acknowledged everything, or cannot be reached. */
  drained(): Promise<void>
  stop(): void
}

export type CoordinationOptions = {
  runtime: Runtime
  coordinators: readonly string[]
  identity: Identity
  store: Store
  version: string
  logger: Logger
}

/** The orders on disk are in force when this resolves. */
export async function createCoordination(options: CoordinationOptions): Promise<Coordination> {
  const { runtime, coordinators, identity, store, version, logger } = options
  const spool = createSpool({ store, logger })
  const keys = createCoordinatorKeys({ store, root: identity.root, logger })
  await keys.load(runtime.wallMs())
  const orders = new OrderBook({ runtime, store, identity, keys, logger })
  await orders.load()
  const jobs = createJobs({ runtime, store, identity, keys })
  let parts: Parts | undefined
  const started = (): Parts => {
    if (parts === undefined) throw new Error('The link opened before start()')
    return parts
  }

  const reporter = new Reporter({
    runtime,
    spool,
    identity,
    health: () => started().health(),
    send: (frame) => link.send(frame),
    restart: (why) => link.restart(why),
    logger,
  })
  const frame = createFrameHandler({
    runtime,
    identity,
    orders,
    jobs,
    reporter,
    onJob: (job, startBeforeMs) => started().onJob(job, startBeforeMs),
    send: (answer) => link.send(answer),
    logger,
  })
  const closed = (): void => {
    reporter.closed()
    orders.abandon()
  }
  const handlers = { opened: () => reporter.opened(), closed, frame }
  const link = new Link({ runtime, coordinators, identity, keys, version, logger, handlers })

  return {
    spool,
    orders,
    start(given) {
      parts = given
      link.start()
    },
    wake: () => reporter.wake(),
    isConnected: () => link.isOpen(),
    trouble: () => link.trouble(),
    ordersVersion: () => orders.version(),
    counts: () => reporter.counts(),
    drained: () => reporter.drained(),
    stop() {
      link.stop()
      orders.stop()
    },
  }
}
