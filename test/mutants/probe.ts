/** Mutations of the probe: what it calls a return, and when it tests again. */
import type { Mutant } from './mutant.ts'

const deaths = {
  file: 'test/sim/probe-crashes.test.ts',
  test: 'over some seeds a probe dies at every point, and none breaks its word',
}

export const probeMutants: Mutant[] = [
  {
    name: 'late-mail-passes',
    file: 'probe/round-trip.ts',
    find: 'return event.back.at.monotonicMs < deadlineOf(state)',
    replace: 'return event.back.at.monotonicMs > 0',
    why: 'A mail that returns after the deadline annotates and is no pass.',
    caughtBy: {
      file: 'test/unit/probe-round-trip.test.ts',
      test: 'one round trip > counts a mail that arrived in time although this process read it too late',
    },
  },
  {
    name: 'probe-tests-no-second-time',
    file: 'probe/retest.ts',
    find: "return test.cause === 'slot' && isFailing(outcome) ? firstFailure(test, plan) : undefined",
    replace: "return test.cause === 'open' && isFailing(outcome) ? firstFailure(test, plan) : undefined",
    why: 'The probe itself tests again 30 s after a lost mail.',
    caughtBy: { file: 'test/unit/probe-retest.test.ts', test: 'the re-test > comes 30 s after a lost test' },
  },
  {
    name: 'restart-loses-the-return',
    file: 'probe/round-trip.ts',
    find: "state.phase === 'out' && state.resumed !== undefined",
    replace: "state.phase === 'out' && state.attempts < 0",
    why: 'A mail that may have come back while the probe was started again was not lost.',
    caughtBy: {
      file: 'test/unit/probe-round-trip.test.ts',
      test: 'one round trip > has not run where the mail might have come back during a restart',
    },
  },
  {
    name: 'put-off-until-too-late-is-lost',
    file: 'probe/round-trip.ts',
    find: "if (state.phase === 'out' && !wasTakenTooLate(state)) {",
    replace: "if (state.phase === 'out' && !wasTakenTooLate({ ...state, sent: null })) {",
    why: 'A mail that a server put off by policy until the end of its time, and took at last, was not lost.',
    caughtBy: {
      file: 'test/unit/probe-round-trip.test.ts',
      test: 'one round trip > a test that was blocked is blocked where it is taken after 570 s and not back',
    },
  },
  {
    name: 'rhythm-goes-by-wall-clock',
    file: 'probe/retest.ts',
    find: 'startedAt.monotonicMs >= firstStartedAt.monotonicMs',
    replace: 'startedAt.wallMs >= firstStartedAt.wallMs',
    why: 'A pass ends the faster rhythm, also where somebody has set the wall clock.',
    caughtBy: {
      file: 'test/unit/probe-retest.test.ts',
      test: 'the faster rhythm after a lost re-test > ends by a pass also where the wall clock was set back by hours since the first failure',
    },
  },
  {
    name: 'retest-put-off-over-boot',
    file: 'probe/retest.ts',
    find: 'Math.min(due.wallMs - now.wallMs, waitMs)',
    replace: 'due.wallMs - now.wallMs + 0 * waitMs',
    why: 'A machine that has booted hours behind puts no re-test off for hours.',
    caughtBy: {
      file: 'test/unit/probe-retest.test.ts',
      test: 'a sequence over a restart > puts the re-test off for no longer than before, where the machine has booted hours behind',
    },
  },
  {
    name: 'mail-before-its-slot-is-written-down',
    file: 'probe/trips.ts',
    find: `    let afterwards = (): void => {}
    const began`,
    replace: `    this.#perform({ order, state: first.state }, first.effects.splice(0))
    let afterwards = (): void => {}
    const began`,
    why: 'A slot is written down before its mail is sent, so that it never runs twice.',
    caughtBy: deaths,
  },
  {
    name: 'trip-ends-before-its-result-is-kept',
    file: 'probe/trips.ts',
    find: `    return store.transaction(() => {
      const ended`,
    replace: `    if (next.state.phase === 'over') journal.end(order.id, next.state.back !== null, this.#now().wallMs)
    return store.transaction(() => {
      const ended`,
    why: 'A trip is over when its result stands in the spool, not before.',
    caughtBy: deaths,
  },
  {
    name: 'result-kept-without-its-retest',
    file: 'probe/trips.ts',
    find: `    return store.transaction(() => {
      const ended`,
    replace: `    return ((work: () => () => void) => work())(() => {
      const ended`,
    why: 'A lost test and the re-test that it brings about are written down in one transaction.',
    caughtBy: deaths,
  },
]
