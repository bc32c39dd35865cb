import { describe, expect, test } from 'vitest'
import { ControlTurns } from '../../probe/control.ts'

const a = { address: 'rt@a.example' }
const b = { address: 'rt@b.example' }
const c = { address: 'rt@c.example' }

const turns = (...references: { address: string }[]) => {
  const control = new ControlTurns()
  control.setReferences(references)
  return control
}

/** Starts what may start, and says to whom it goes; the trips are named after their references. */
const start = (control: ControlTurns, nowMs: number): string[] => {
  const turn = control.next(nowMs)
  const hosts = turn?.references.map(({ address }) => address.slice(3, 4)) ?? []
  if (turn !== undefined) control.started(hosts, turn, nowMs)
  return hosts
}

describe('control trips', () => {
  test('serve every test that was started before them', () => {
    const control = turns(a, b)
    control.request(1000, 600_000)
    expect(start(control, 1000)).toEqual(['a', 'b'])
    control.request(900, 600_000)
    expect(start(control, 9000)).toEqual([])
  })

  test('go to two references at the same time, and to all of them in turn', () => {
    const control = turns(a, b, c)
    const visited = [1000, 9000, 17_000].map((nowMs) => {
      control.request(nowMs, 600_000)
      return start(control, nowMs).join('')
    })
    expect(visited).toEqual(['ab', 'ca', 'bc'])
  })

  test('trouble nobody more than once in 7 s, and do not forget the wish meanwhile', () => {
    const control = turns(a)
    control.request(1000, 600_000)
    start(control, 1000)
    control.request(1500, 600_000)
    expect(start(control, 1500)).toEqual([])
    expect(control.nextWakeAt()).toBe(8000)
    expect(start(control, 8000)).toEqual(['a'])
  })

  test('go to the next references where neither of two returned, once round', () => {
    const control = turns(a, b, c)
    control.request(1000, 600_000)
    start(control, 1000)
    control.ended('a', false)
    expect(start(control, 31_000)).toEqual([])
    control.ended('b', false)
    expect(start(control, 61_000)).toEqual(['c', 'a'])
    control.ended('c', false)
    control.ended('a', false)
    expect(start(control, 121_000)).toEqual([])
  })

  test('have done their service where one of two returned', () => {
    const control = turns(a, b)
    control.request(1000, 600_000)
    start(control, 1000)
    control.ended('b', true)
    control.ended('a', false)
    control.request(900, 600_000)
    expect(start(control, 61_000)).toEqual([])
  })

  test('take a minute at most, and half the time of the test that asks, so that those sent with it end before it', () => {
    const control = turns(a)
    control.request(1000, 600_000)
    expect(control.next(1000)?.timeoutMs).toBe(60_000)
    const short = turns(a)
    short.request(1000, 20_000)
    expect(short.next(1000)?.timeoutMs).toBe(10_000)
  })

  test('start nothing without references', () => {
    const control = turns()
    control.request(1000, 600_000)
    expect(start(control, 1000)).toEqual([])
    expect(control.nextWakeAt()).toBeNull()
  })

  test('in an outage that goes on and on ask one reference for less than a responder answers in an hour', () => {
    const answersPerHourMax = 600
    const control = turns(a)
    let trips = 0
    for (let nowMs = 0; nowMs < 3_600_000; nowMs += 500) {
      control.request(nowMs, 600_000)
      if (start(control, nowMs).length === 0) continue
      trips += 1
      control.ended('a', true)
    }
    expect(trips).toBeLessThan(answersPerHourMax * 0.9)
    expect(trips).toBeGreaterThan(answersPerHourMax * 0.5)
  })
})
