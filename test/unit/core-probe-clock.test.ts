import { expect, it } from 'vitest'
import { estimateLackMs } from '../../coordinator/core/probe-clock.ts'

const estimate = (sealedAgoMs: number) => estimateLackMs({ sealedAtMs: 1e12 - sealedAgoMs, receivedAtMs: 1e12 })

it.each([
  ['is behind', 200_400, 199_900],
  ['is ahead', -58_600, -59_100],
])('a clock that %s shows in the batches that it has sealed', (_, sealedAgoMs, lacksMs) => {
  expect(estimate(sealedAgoMs)).toBe(lacksMs)
})

it.each([-4000, 0, 80, 999, 1500, 5400])(
  'a clock that seems to lack no more than the way may take is right (%i ms)',
  (sealedAgoMs) => {
    expect(estimate(sealedAgoMs)).toBeNull()
  },
)
