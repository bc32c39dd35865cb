/** Mutations of the probe: what it calls a return, and when it tests again. */
import type { Mutant } from './mutant.ts'

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
]
