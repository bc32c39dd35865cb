/** What the probe link works with, and one session as its handlers see it. */
import type { CoordinatorFrame } from '../../common/wire/frames.ts'
import type { Reference } from '../../common/wire/test.ts'
import type { DatabaseContext } from '../flow/context.ts'
import type { CoordinatorKeys } from '../keys.ts'
import type { LinkedProbe } from '../store/probe-link.ts'

export type HubContext = DatabaseContext & {
  keys: CoordinatorKeys
  /** Where probes send their control trips. */
  references: Reference[]
}

export type Session = {
  id: string
  probe: LinkedProbe
  send(frame: CoordinatorFrame): void
  /** Pages of the manifest last sent, by hash, for the probe to ask for. */
  pages: Map<string, string>
  /** The version of the manifest last sent. */
  manifestVersion: number
  /** Jobs sent in this session: not sent twice while the probe's answer is under way. */
  jobsSent: Set<string>
}
