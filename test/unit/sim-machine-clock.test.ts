import { expect, it } from 'vitest'
import { MachineClock } from '../sim/machine-clock.ts'

const clockWith = (readingErrorMs: number | null) => new MachineClock({ driftPpm: 0, aheadMs: 200, readingErrorMs }, 0)

it('knows at once that somebody has set it, as the probe does', () => {
  const clock = clockWith(5)
  clock.jump(60_000, 3_600_000)
  expect(clock.reading(60_001)).toEqual({ offsetMs: -3_600_195, errorMs: 5 })
  clock.mend(90_000)
  expect(clock.reading(90_001)).toEqual({ offsetMs: -195, errorMs: 5 })
})

it('knows nothing where NTP does not answer', () => {
  expect(clockWith(null).reading(60_000)).toBeNull()
})
