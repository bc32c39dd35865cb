/**
 * What its date does to a signed document: retold from common/wire/seal.ts, which no simulated frame passes. Clocks are those of probes; the
 * coordinators' are taken for right.
 */
import { batchAgeMsMax, jobStartMsMax } from '../../common/limits.ts'
import { clockToleranceMs } from '../../common/wire/seal.ts'

/** As a document tells when it was sealed. */
export const wholeSecond = (atMs: number): number => Math.floor(atMs / 1000) * 1000

/** Whether the coordinator hears a probe that proves itself, or reports, with this date: one from the future, or an old one, is refused. */
export function isHeard(sealedAtMs: number, nowMs: number): boolean {
  const ageMs = wholeSecond(nowMs) - wholeSecond(sealedAtMs)
  return ageMs >= -clockToleranceMs && ageMs <= batchAgeMsMax + clockToleranceMs
}

/** What a probe makes of a job by its own clock (probe/jobs.ts, then probe/machinery.ts); from however far in the future it is run. */
export function jobAtProbe(job: { givenMs: number; expiresMs: number }, wallMs: number): 'run' | 'too_late' | 'refused' {
  const expiresMs = wholeSecond(job.expiresMs)
  const hasExpired = expiresMs <= wholeSecond(wallMs) - clockToleranceMs
  if (hasExpired || wallMs - wholeSecond(job.givenMs) > jobStartMsMax + clockToleranceMs) return 'refused'
  return wallMs >= expiresMs ? 'too_late' : 'run'
}
