/**
 * What stamp a returned mail had to bear, from when its copies truly came to the responder and what its clock said then (DESIGN 3.1). It
 * knows none of the responder's code.
 */
import type { SpoolRecord } from './journal.ts'
import { responderClockMs } from './responder.ts'
import type { Trouble, WorldSetting } from './setting.ts'

/** What a probe told of a mail that came back. */
export type Returned = {
  testId: string
  startedAtMs: number
  stampAtMs: number | null
  firstStampAtMs: number | null
  clockSuspect: boolean
}

export type StampHistory = {
  setting: WorldSetting
  troubles: readonly Trouble[]
  /** By test, when its copies came to the responder; true time. */
  deliveries: ReadonlyMap<string, readonly number[]>
  returned: readonly Returned[]
}

export type StampViolation = { kind: 'wrong_stamp'; atMs: number; what: string }

/** The token is good from the start of the test until a day after its timeout; a minute either way is no matter. */
const goodAfterS = 86_400
const graceMs = 60_000

/** Null where nothing with a stamp came back. */
export function returnedOf(record: SpoolRecord): Returned | null {
  if (record.kind !== 'result') return null
  const { id, returned_at, outcome, started_at, stamp_at, detail } = record.body
  if (returned_at === null || outcome === 'echo') return null
  const { first_stamp_at, clock_suspect } = detail
  const told = { firstStampAtMs: first_stamp_at ?? null, clockSuspect: clock_suspect ?? false }
  return { testId: id, startedAtMs: started_at, stampAtMs: stamp_at, ...told }
}

export function stampFaults({ setting, troubles, deliveries, returned }: StampHistory): StampViolation[] {
  return returned.flatMap((account): StampViolation[] => {
    const copies = deliveries.get(account.testId) ?? []
    const right = copies.map((atMs) => answerOf(setting, troubles, copies, atMs, account.startedAtMs))
    const isRight = right.some(
      (answer) =>
        answer.stampAtMs === account.stampAtMs &&
        answer.firstStampAtMs === account.firstStampAtMs &&
        answer.clockSuspect === account.clockSuspect,
    )
    const what = `${JSON.stringify(account)} is none of ${JSON.stringify(right)}`
    return isRight ? [] : [{ kind: 'wrong_stamp', atMs: account.startedAtMs, what }]
  })
}

/** The answer to the copy that came at `atMs`: stamped as the first that the responder can have remembered. */
function answerOf(
  setting: WorldSetting,
  troubles: readonly Trouble[],
  copies: readonly number[],
  atMs: number,
  startedAtMs: number,
): Omit<Returned, 'testId' | 'startedAtMs'> {
  const forgot = (fromMs: number) =>
    troubles.some((trouble) => trouble.kind === 'responder_state' && trouble.fromMs <= atMs && trouble.toMs > fromMs)
  const firstMs = copies.find((copyMs) => copyMs < atMs && !forgot(copyMs)) ?? atMs
  const nowMs = responderClockMs(setting, troubles, atMs)
  const firstStampMs = responderClockMs(setting, troubles, firstMs)
  const issuedMs = Math.floor(startedAtMs / 1000) * 1000
  const expiresMs = issuedMs + (setting.rules.timeout_s + goodAfterS) * 1000
  return {
    stampAtMs: firstStampMs,
    firstStampAtMs: firstStampMs === nowMs ? null : firstStampMs,
    clockSuspect: nowMs < issuedMs - graceMs || nowMs > expiresMs + graceMs,
  }
}
