import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { retryOffsetsMs } from '../../probe/retry.ts'
import {
  type Back,
  begin,
  type Course,
  type Failure,
  type Instant,
  nextWakeAt,
  type RoundTrip,
  type Sent,
  type Step,
  step,
  type TripEvent,
} from '../../probe/round-trip.ts'

const course: Course = { timeoutMs: 600_000, slowMs: 120_000, acceptEcho: false, kind: 'test' }
const wallStartMs = Date.UTC(2026, 10, 23, 12)
const instant = (seconds: number): Instant => ({ wallMs: wallStartMs + seconds * 1000, monotonicMs: 50_000 + seconds * 1000 })
const sentAt = (seconds: number): Sent => ({ startedAt: instant(seconds), at: instant(seconds), stages: [], detail: {} })
const backAt = (seconds: number): Back => ({ at: instant(seconds), stampAtMs: wallStartMs, detail: {} })
const failure = (outcome: Failure['outcome'], permanent = false): Failure => ({ outcome, permanent, stages: [], detail: {} })

/** An event at so many seconds; `attempt` is filled in with the attempt under way. */
type Moment = [seconds: number, event: 'accepted' | 'returned' | 'echo' | 'bounce' | 'delayed' | 'restart' | 'reboot' | Failure]

/** Plays a test from its start to its end, with every timer it asks for, and tells what happened as lines of `m:ss what`. */
function story(moments: Moment[], changes: Partial<Course> = {}): string[] {
  const lines: string[] = []
  const clock = (seconds: number) => `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`
  const take = (taken: Step, seconds: number): RoundTrip => {
    for (const effect of taken.effects) lines.push(`${clock(seconds)} ${said(effect)}`)
    return taken.state
  }
  let state = take(begin({ ...course, ...changes }, instant(0)), 0)
  const timersUntil = (seconds: number) => {
    let last = Number.NEGATIVE_INFINITY
    for (let wake = nextWakeAt(state); wake !== null && wake < 50_000 + seconds * 1000; wake = nextWakeAt(state)) {
      if (wake <= last) throw new Error(`the timer of ${wake} ms has rung, and is asked for again`)
      last = wake
      const at = (wake - 50_000) / 1000
      state = take(step(state, { kind: 'timer' }, { wallMs: wallStartMs + wake - 50_000, monotonicMs: wake }), at)
    }
  }
  for (const [seconds, what] of moments) {
    timersUntil(seconds)
    state = take(step(state, eventOf(what, state.attempts, seconds), instant(seconds)), seconds)
  }
  timersUntil(Number.POSITIVE_INFINITY)
  return lines
}

function said(effect: Step['effects'][number]): string {
  switch (effect.kind) {
    case 'send':
      return `send ${effect.attempt}`
    case 'report_overdue':
      return 'overdue'
    case 'control_trip':
      return 'control trip'
    case 'report_result':
      return `${effect.ending.outcome}${effect.ending.hard ? ', hard' : ''}`
  }
}

function eventOf(what: Moment[1], attempt: number, seconds: number): TripEvent {
  if (typeof what !== 'string') return { kind: 'failed', attempt, failure: what }
  switch (what) {
    case 'accepted':
      return { kind: 'sent', attempt, sent: sentAt(seconds) }
    case 'returned':
    case 'echo':
      return { kind: what, back: backAt(seconds) }
    case 'bounce':
      return { kind: 'bounce', blocked: false, detail: { dsn_status: '5.1.1' } }
    case 'delayed':
      return { kind: 'delayed', detail: { dsn_status: '4.4.1' } }
    case 'restart':
    case 'reboot':
      return { kind: 'resume', sameBoot: what === 'restart' }
  }
}

describe('one round trip', () => {
  const stories: [name: string, moments: Moment[], expected: string[], changes?: Partial<Course>][] = [
    [
      'is ok when the stamped mail is back at once',
      [
        [1, 'accepted'],
        [2, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:02 ok'],
    ],
    [
      'waits for the end of a dialogue that the returned mail overtook',
      [
        [1, 'returned'],
        [2, 'accepted'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:02 ok'],
    ],
    ['waits no longer than 5 s for it', [[1, 'returned']], ['0:00 send 1', '0:00 control trip', '0:06 ok']],
    [
      'is slow from the slow mark on, after word of it and a proof of health',
      [
        [1, 'accepted'],
        [121, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '2:00 overdue', '2:00 control trip', '2:01 slow'],
    ],
    [
      'times out at the deadline, with control trips at the start, at the slow mark, 60 s before and at the end',
      [[1, 'accepted']],
      [
        '0:00 send 1',
        '0:00 control trip',
        '2:00 overdue',
        '2:00 control trip',
        '9:00 control trip',
        '10:00 timeout',
        '10:00 control trip',
      ],
    ],
    [
      'takes its last control trip midway between slow mark and deadline where the time is short',
      [[1, 'accepted']],
      [
        '0:00 send 1',
        '0:00 control trip',
        '0:04 overdue',
        '0:04 control trip',
        '0:12 control trip',
        '0:20 timeout',
        '0:20 control trip',
      ],
      { timeoutMs: 20_000, slowMs: 4000 },
    ],
    [
      'ends at once when the mail is refused for good',
      [[1, failure('refused', true)]],
      ['0:00 send 1', '0:00 control trip', '0:01 refused, hard', '0:01 control trip'],
    ],
    [
      'ends at once when the domain does not exist',
      [[1, failure('dns', true)]],
      ['0:00 send 1', '0:00 control trip', '0:01 dns, hard', '0:01 control trip'],
    ],
    [
      'asks for no proof of health where our address is blocked',
      [[1, failure('blocked', true)]],
      ['0:00 send 1', '0:00 control trip', '0:01 blocked'],
    ],
    [
      'does not run against a forbidden target',
      [[0, failure('not_run', true)]],
      ['0:00 send 1', '0:00 control trip', '0:00 not_run'],
    ],
    [
      'tries again after a 4xx, and the wait shows in the round-trip time',
      [
        [1, failure('deferred')],
        [31, failure('deferred')],
        [91, 'accepted'],
        [95, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:30 send 2', '1:30 send 3', '1:35 ok'],
    ],
    [
      'tries as a mail server would and is unreachable at the deadline',
      [1, 31, 91, 211, 331, 451, 571].map((seconds): Moment => [seconds, failure('unreachable')]),
      [
        '0:00 send 1',
        '0:00 control trip',
        '0:30 send 2',
        '1:30 send 3',
        '2:00 overdue',
        '2:00 control trip',
        '3:30 send 4',
        '5:30 send 5',
        '7:30 send 6',
        '9:00 control trip',
        '9:30 send 7',
        '10:00 unreachable',
        '10:00 control trip',
      ],
    ],
    [
      'is unreachable when the first attempt hangs until the deadline',
      [],
      ['0:00 send 1', '0:00 control trip', '0:02 unreachable', '0:02 control trip'],
      { timeoutMs: 2000, slowMs: 2000 },
    ],
    [
      'is bounced at once by a failure notice',
      [
        [1, 'accepted'],
        [5, 'bounce'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:05 bounced, hard', '0:05 control trip'],
    ],
    [
      'takes a notice of delay as evidence only',
      [
        [1, 'accepted'],
        [60, 'delayed'],
        [100, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '1:40 ok'],
    ],
    [
      'holds an unstamped copy until the deadline',
      [
        [1, 'accepted'],
        [2, 'echo'],
      ],
      [
        '0:00 send 1',
        '0:00 control trip',
        '2:00 overdue',
        '2:00 control trip',
        '9:00 control trip',
        '10:00 echo',
        '10:00 control trip',
      ],
    ],
    [
      'passes when the stamped mail follows the unstamped copy',
      [
        [1, 'accepted'],
        [2, 'echo'],
        [3, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:03 ok'],
    ],
    [
      'takes an unstamped copy as a pass where the monitor says so',
      [
        [1, 'accepted'],
        [2, 'echo'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:02 ok'],
      { acceptEcho: true },
    ],
    [
      'takes a return after an attempt that seemed to fail',
      [
        [1, failure('deferred')],
        [2, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:02 ok'],
    ],
    [
      'goes on after a restart of the probe once the mail was accepted',
      [
        [1, 'accepted'],
        [3, 'restart'],
        [5, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:05 ok'],
    ],
    [
      'has not run where the mail might have come back during a restart',
      [
        [1, 'accepted'],
        [3, 'restart'],
      ],
      ['0:00 send 1', '0:00 control trip', '2:00 overdue', '2:00 control trip', '9:00 control trip', '10:00 not_run'],
    ],
    [
      'goes on between two attempts after a restart',
      [
        [1, failure('deferred')],
        [3, 'restart'],
        [31, 'accepted'],
        [32, 'returned'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:30 send 2', '0:32 ok'],
    ],
    ['has not run when a restart cut its dialogue off', [[1, 'restart']], ['0:00 send 1', '0:00 control trip', '0:01 not_run']],
    [
      'has not run when the machine was started again',
      [
        [1, 'accepted'],
        [3, 'reboot'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:03 not_run'],
    ],
    [
      'keeps a return that was written down before the restart',
      [
        [1, 'returned'],
        [3, 'reboot'],
      ],
      ['0:00 send 1', '0:00 control trip', '0:03 ok'],
    ],
    [
      'says nothing about itself where it is a control trip',
      [[1, 'accepted']],
      ['0:00 send 1', '1:00 timeout'],
      { kind: 'control', timeoutMs: 60_000, slowMs: 30_000 },
    ],
  ]
  it.each(stories)('%s', (_, moments, expected, changes) => {
    expect(story(moments, changes)).toEqual(expected)
  })

  it('is deferred at the deadline when the last word was a 4xx', () => {
    const lines = story([
      [1, failure('unreachable')],
      [31, failure('deferred')],
    ])
    expect(lines.at(-2)).toBe('10:00 deferred')
  })

  it.each([599.9, 600])('is deferred where our own deadline cuts off the last attempt, whose end comes at %d s', (endS) => {
    const lines = story([
      [1, failure('deferred')],
      [31, failure('deferred')],
      [91, failure('deferred')],
      [211, failure('deferred')],
      [331, failure('deferred')],
      [451, failure('deferred')],
      [endS, { ...failure('unreachable'), cutOff: true }],
    ])
    expect(lines.at(-2)).toBe('10:00 deferred')
  })

  it.each<{ kind: Course['kind']; word: Failure['outcome']; takenS: number; outcome: string }>([
    { kind: 'test', word: 'blocked', takenS: 570, outcome: 'blocked' },
    { kind: 'test', word: 'deferred', takenS: 570, outcome: 'deferred' },
    { kind: 'test', word: 'unreachable', takenS: 570, outcome: 'unreachable' },
    // The last attempt may be over only at the deadline.
    { kind: 'test', word: 'blocked', takenS: 600, outcome: 'blocked' },
    { kind: 'test', word: 'blocked', takenS: 480.1, outcome: 'blocked' },
    { kind: 'test', word: 'blocked', takenS: 479.9, outcome: 'timeout' },
    { kind: 'route', word: 'blocked', takenS: 570, outcome: 'blocked' },
    { kind: 'control', word: 'deferred', takenS: 570, outcome: 'timeout' },
  ])('a $kind that was $word is $outcome where it is taken after $takenS s and not back', ({ kind, word, takenS, outcome }) => {
    const putOff = [1, 31, 91, 211, 331, 451].map((atS): Moment => [atS, failure(word)])
    const lines = story([...putOff, [takenS, 'accepted']], { kind })
    expect(lines.find((line) => line.startsWith('10:00'))).toBe(`10:00 ${outcome}`)
  })

  it('passes where a mail that was taken so late is back all the same', () => {
    const late: Moment[] = [1, 31, 91, 211, 331, 451].map((atS) => [atS, failure('blocked')])
    expect(story([...late, [571, 'accepted'], [580, 'returned']]).at(-1)).toBe('9:40 slow')
  })

  it('is unreachable where the only attempt went on until our own deadline', () => {
    expect(story([[599.9, { ...failure('unreachable'), cutOff: true }]]).at(-2)).toBe('10:00 unreachable')
  })

  it('has not run when nobody was there at the deadline', () => {
    const { state } = step(begin(course, instant(0)).state, { kind: 'sent', attempt: 1, sent: sentAt(1) }, instant(1))
    expect(step(state, { kind: 'resume', sameBoot: true }, instant(700)).state.ending).toMatchObject({ outcome: 'not_run' })
  })

  it('counts a mail that arrived in time although this process read it too late', () => {
    const { state } = step(begin(course, instant(0)).state, { kind: 'sent', attempt: 1, sent: sentAt(1) }, instant(1))
    const inTime = step(state, { kind: 'returned', back: backAt(599.9) }, instant(600.2))
    expect(inTime.state.ending?.outcome).toBe('slow')
    const tooLate = step(state, { kind: 'returned', back: backAt(600.1) }, instant(600.2))
    expect(tooLate.state.ending?.outcome).toBe('timeout')
  })

  it('ignores the end of an attempt that is not the one under way', () => {
    const { state } = step(
      begin(course, instant(0)).state,
      { kind: 'failed', attempt: 1, failure: failure('deferred') },
      instant(1),
    )
    expect(step(state, { kind: 'sent', attempt: 7, sent: sentAt(2) }, instant(2)).state.phase).toBe('waiting')
  })

  it('survives a round through JSON, as the journal keeps it', () => {
    const { state } = begin(course, instant(0))
    expect(JSON.parse(JSON.stringify(state))).toEqual(state)
  })

  it('scales the retries with the timeout, at least a second apart', () => {
    expect(retryOffsetsMs(600_000)).toEqual([30_000, 90_000, 210_000, 330_000, 450_000, 570_000])
    expect(retryOffsetsMs(60_000)).toEqual([3000, 9000, 21_000, 33_000, 45_000, 57_000])
    expect(retryOffsetsMs(5000)).toEqual([1000, 2000, 3000, 4000])
    expect(retryOffsetsMs(1_800_000).slice(5)).toEqual([570_000, 900_000, 1_200_000, 1_500_000])
    expect(retryOffsetsMs(67_444)).toEqual([3372, 10_117, 23_605, 37_094, 50_583, 64_072])
  })

  it('gives exactly one result, at the deadline at the latest, whatever happens in what order', () => {
    const outcomeOf = fc.constantFrom<Failure['outcome']>('refused', 'deferred', 'unreachable', 'tls', 'dns', 'auth', 'blocked')
    const what = fc.oneof(
      fc.constantFrom<Exclude<Moment[1], Failure>>('accepted', 'returned', 'echo', 'bounce', 'delayed', 'restart', 'reboot'),
      fc.tuple(outcomeOf, fc.boolean()).map(([outcome, permanent]) => failure(outcome, permanent)),
    )
    const moments = fc
      .array(fc.tuple(fc.integer({ min: 0, max: 700 }), what), { maxLength: 12 })
      .map((list) => list.sort(([a], [b]) => a - b))
    const courses = fc.record({
      timeoutMs: fc.integer({ min: 1000, max: 600_000 }),
      slowMs: fc.integer({ min: 500, max: 700_000 }),
      acceptEcho: fc.boolean(),
    })
    fc.assert(
      fc.property(moments, courses, (list, changes) => {
        const lines = story(list, changes)
        const results = lines.filter((line) => !/send|overdue|control/.test(line))
        expect(results).toHaveLength(1)
        const [minutes, seconds] = (results[0] ?? '').split(' ')[0]?.split(':').map(Number) ?? []
        const endedAtS = (minutes ?? 0) * 60 + (seconds ?? 0)
        expect(endedAtS).toBeLessThanOrEqual(Math.ceil((changes.timeoutMs ?? 0) / 1000))
      }),
    )
  })
})
