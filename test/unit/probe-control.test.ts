import { expect, test } from 'vitest'
import { ControlTurns } from '../../probe/control.ts'

const answersPerHourMax = 600

test('an outage that goes on and on asks one reference for less than a responder answers in an hour', () => {
  const turns = new ControlTurns()
  turns.setReferences([{ address: 'scout@reference.example' }])
  let trips = 0
  for (let nowMs = 0; nowMs < 3_600_000; nowMs += 500) {
    turns.request(nowMs, 600_000)
    const turn = turns.next(nowMs)
    if (turn === undefined) continue
    trips += 1
    turns.started(`trip ${trips}`, turn, nowMs)
    turns.ended(`trip ${trips}`, true)
  }
  expect(trips).toBeLessThan(answersPerHourMax * 0.9)
  expect(trips).toBeGreaterThan(answersPerHourMax * 0.5)
})
