/** Who could see an outage and tell of it, from which moment on: the premises of the bound (DESIGN 1), as they were true in the world. */
import { isActive, meets, type Trouble, type WorldSetting } from './setting.ts'

/** From this moment on these could see an outage and tell of it; each with the offset of its slots in the period. */
export type Watch = { fromMs: number; coordinating: boolean; healthy: { probeId: string; startsMs: number }[] }

/** Adds it where something has changed. */
export function addWatch(watches: Watch[], watch: Watch): void {
  const last = watches.at(-1)
  const same = last !== undefined && last.coordinating === watch.coordinating && sameHealthy(last.healthy, watch.healthy)
  if (!same) watches.push(watch)
}

/** Something keeps the probe from telling, or from being believed. */
export function isImpaired(setting: WorldSetting, troubles: readonly Trouble[], probeId: string, nowMs: number): boolean {
  return troubles.some((trouble) => {
    if (trouble.kind === 'references') return isActive(trouble, nowMs)
    if (trouble.kind === 'blocked') return isActive(trouble, nowMs) && meets(trouble, regionOf(setting, probeId))
    if (!('probe' in trouble) || trouble.probe !== probeId || trouble.kind === 'glitch') return false
    const afterMs = trouble.kind === 'clock' ? clockAfterMs(trouble.byMs, setting) : 0
    return trouble.fromMs <= nowMs && nowMs < trouble.toMs + afterMs
  })
}

const regionOf = ({ probes }: WorldSetting, probeId: string): string =>
  probes.find(({ id }) => id === probeId)?.domain.region ?? ''

/** After a jump of its clock a probe is fit again when the slots of its wall clock run evenly, and old times have gone by. */
export const clockAfterMs = (byMs: number, { rules }: WorldSetting): number => Math.abs(byMs) + rules.period_s * 1000

/** Drift moves the starts by less than this; it is no change. */
const sameStartMs = 500
const sameHealthy = (a: Watch['healthy'], b: Watch['healthy']): boolean =>
  a.length === b.length &&
  a.every(({ probeId, startsMs }, index) => b[index]?.probeId === probeId && Math.abs(b[index].startsMs - startsMs) < sameStartMs)
