/**
 * The probe, put together:
 *
 *   settings ─► store ─► who we are (or enrolment) ─► orders from disk ─► inbox ─► machinery ─► link
 *
 * and taken apart in an order that loses nothing: no more mail in, no more tests, the last results out.
 */
import { join } from 'node:path'
import { errorMessage, isMailscoutError, MailscoutError } from '../common/errors.ts'
import type { Logger } from '../common/log.ts'
import { type Runtime, sleep } from '../common/runtime.ts'
import type { Health } from '../common/wire/test.ts'
import type { ProbeConfig } from './config.ts'
import { type Coordination, createCoordination } from './coordination.ts'
import { enrol } from './enroll.ts'
import { type Identity, loadIdentity, loadProbeKey } from './identity.ts'
import type { Inbox, OnMail } from './inbox.ts'
import { createImapInbox } from './inbox-imap.ts'
import { createSmtpInbox } from './inbox-smtp.ts'
import { createMachinery, type Machinery } from './machinery.ts'
import { readStatus } from './status.ts'
import { startStatusServer } from './status-server.ts'
import { openStore } from './store.ts'
import { version } from './version.ts'

/** After the tests have been stopped, the time in which the last results are told. */
const farewellMsMax = 3000

export type ProbeOptions = {
  config: ProbeConfig
  runtime: Runtime
  logger: Logger
  /** Ends an enrolment that waits for its coordinator. */
  signal: AbortSignal
}

export type RunningProbe = {
  /** Stops within 10 s; what could not be told waits in the spool. */
  stop(): Promise<void>
}

/** Resolves when the probe tests and receives; it may still be dialling. Throws a coded error for what an operator must mend. */
export async function startProbe(options: ProbeOptions): Promise<RunningProbe> {
  const { config, runtime, logger } = options
  const store = openStore(join(config.dataDir, 'probe.sqlite'))
  const identity = await identify(options)
  const { coordinators } = config
  const coordination = await createCoordination({ runtime, coordinators, identity, store, version, logger })
  const { spool, orders } = coordination
  const machinery = createMachinery({ runtime, config, identity, store, spool, orders, logger })
  const inbox = createInbox(options, machinery.receive)

  await openInbox(inbox)
  machinery.onRecord(() => coordination.wake())
  machinery.start()
  coordination.start({
    health: () => healthOf(machinery, inbox, coordination),
    onJob: (job, startBeforeMs) => machinery.startJob(job, startBeforeMs),
  })
  const parts = { identity, coordination, machinery, inbox, runtime }
  const status = config.status && (await startStatusServer(config.status, () => readStatus(parts)))
  const { probeId, returnAddress } = identity
  logger.info(
    { probe: probeId, return_address: returnAddress, inbox: inbox.state().detail, status: status?.address },
    'probe ready',
  )

  return {
    async stop() {
      logger.info('the probe stops')
      await inbox.stop()
      await machinery.stop()
      await Promise.race([coordination.drained(), sleep(runtime, farewellMsMax)])
      const untold = spool.depth()
      coordination.stop()
      await status?.close()
      store.close()
      logger.info({ untold }, 'the probe has stopped')
    },
  }
}

/** Who we are: from disk, or by the enrolment token. A token is of no use, and not looked at, once there is an identity. */
async function identify({ config, runtime, logger, signal }: ProbeOptions): Promise<Identity> {
  const { dataDir, returnAddress, coordinators, enrolmentToken: token } = config
  const keyPair = loadProbeKey(dataDir)
  const identity = loadIdentity(dataDir, keyPair)
  if (identity !== undefined) {
    if (identity.returnAddress === returnAddress) return identity
    throw new MailscoutError(
      'CONFIG_INVALID',
      `MAILSCOUT_RETURN_ADDRESS is ${returnAddress}, but this probe was enrolled with ${identity.returnAddress}: set it back, or create a new probe and start it with a DATA_DIR of its own`,
    )
  }
  if (token === undefined) {
    throw new MailscoutError(
      'CONFIG_INVALID',
      `MAILSCOUT_ENROLMENT_TOKEN is missing: this probe is not enrolled yet (there is no identity.json in ${dataDir}). Create the probe (POST /v1/probes) and set the token from the answer`,
    )
  }
  logger.info({ key: keyPair.kid, coordinators }, 'enrolling')
  const enrolled = await enrol({ runtime, coordinators, token, keyPair, returnAddress, dataDir, version, logger, signal })
  logger.info({ probe: enrolled.probeId }, 'enrolled')
  return enrolled
}

function createInbox({ config, runtime, logger }: ProbeOptions, onMail: OnMail): Inbox {
  const { inbox, returnAddress } = config
  if (inbox.kind === 'smtp') {
    return createSmtpInbox({ host: inbox.host, port: inbox.port, returnAddress, onMail, runtime, logger })
  }
  const { host, port, secure, user, password, mailbox } = inbox
  return createImapInbox({ host, port, secure, user, password, mailbox, onMail, runtime, logger })
}

async function openInbox(inbox: Inbox): Promise<void> {
  try {
    await inbox.start()
  } catch (cause) {
    if (isMailscoutError(cause)) throw cause
    throw new MailscoutError('CONFIG_INVALID', `MAILSCOUT_INBOX cannot be opened: ${errorMessage(cause)}`, { cause })
  }
}

function healthOf(machinery: Machinery, inbox: Inbox, coordination: Coordination): Health {
  const { ok, detail } = inbox.state()
  return {
    version,
    inbox_ok: ok,
    inbox_detail: detail.slice(0, 200),
    spool_depth: coordination.spool.depth(),
    ...machinery.health(),
  }
}
