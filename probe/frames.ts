/** What the probe does with each frame of an open session: one line a frame. */
import { secondMs } from '../common/durations.ts'
import type { Logger } from '../common/log.ts'
import type { Runtime } from '../common/runtime.ts'
import { type ProbeFrame, wireVersion } from '../common/wire/frames.ts'
import type { Job } from '../common/wire/test.ts'
import type { OrderBook } from './assignments.ts'
import type { Identity } from './identity.ts'
import type { Jobs } from './jobs.ts'
import type { Reporter } from './report.ts'
import type { Delivery } from './session.ts'

/** Signed documents are refused beyond a minute; half of that is worth a warning. */
const clockDifferenceMsMax = 30 * secondMs

export type FrameHandlerOptions = {
  runtime: Runtime
  identity: Identity
  orders: OrderBook
  jobs: Jobs
  reporter: Reporter
  onJob: (job: Job, startBeforeMs: number) => void
  send: (frame: ProbeFrame) => void
  logger: Logger
}

/** What it throws with a code is answered to the coordinator with an error frame. */
export function createFrameHandler(options: FrameHandlerOptions): (frame: Delivery) => Promise<void> {
  const { runtime, identity, orders, jobs, reporter, onJob, send, logger } = options

  const renew = (certificate: string): void => {
    if (identity.renew(certificate)) logger.info({ ends_ms: identity.certificateEndsMs() }, 'probe certificate renewed')
  }

  const compareClocks = (serverTimeMs: number): void => {
    const differenceMs = runtime.wallMs() - serverTimeMs
    if (Math.abs(differenceMs) < clockDifferenceMsMax) return
    logger.warn({ difference_ms: differenceMs }, 'the clocks of probe and coordinator differ: check NTP on both machines')
  }

  const takeJob = async (jws: string): Promise<void> => {
    const { job, startBeforeMs } = await jobs.accept(jws)
    onJob(job, startBeforeMs)
    send({ v: wireVersion, type: 'job_taken', job_id: job.id })
  }

  const takePage = async (hash: string, page: string): Promise<void> => {
    const answer = await orders.acceptPage(hash, page)
    if (answer !== undefined) send(answer)
  }

  return async (frame) => {
    switch (frame.type) {
      case 'welcome':
        compareClocks(frame.server_time)
        return renew(frame.certificate)
      case 'certificate':
        return renew(frame.certificate)
      case 'manifest':
        return send(await orders.acceptManifest(frame.manifest))
      case 'page':
        return await takePage(frame.hash, frame.page)
      case 'job':
        return await takeJob(frame.job)
      case 'ack':
        return reporter.acknowledged(frame)
      case 'error':
        return logger.warn({ code: frame.code }, `the coordinator refused a frame of this probe: ${frame.detail}`)
    }
  }
}
