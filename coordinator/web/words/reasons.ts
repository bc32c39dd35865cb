/** Why a decision or a verdict is what it is, for people. A code that is not in the table is shown as its own words. */
import type { JudgementReason } from '../../core/evidence.ts'
import type { VerdictReason } from '../../core/verdict.ts'
import { humanise } from './verdicts.ts'

const decisionReasons: Record<JudgementReason, string> = {
  no_return_yet: 'No mail has come back yet',
  first_return: 'The first mail came back',
  all_well: 'Mail comes back in time',
  mail_is_slow: 'Mail comes back late',
  test_failed: 'A test failed; the others are asked',
  votes_missing: 'Waiting for the other vantages',
  hard_failure_held: 'Refused; waiting whether it persists',
  quorum_fails: 'Enough regions agree',
  some_vantages_pass: 'Some vantages pass, some fail',
  nothing_fails: 'No vantage fails any more',
  votes_stayed_out: 'Too few healthy vantages answered',
  no_fresh_results: 'No fresh results',
  tests_say_nothing: 'Tests say nothing about the mail',
  too_few_witnesses: 'Too few independent probes to confirm an outage',
  flapping: 'Comes and goes: open until mail is steady',
  over_before_heard: 'Up; an outage was over before we heard of it',
  recovered: 'Mail comes back again',
  resolved_by_hand: 'Resolved by hand',
}

const verdictReasons: Record<VerdictReason | 'retest_awaited', string> = {
  returned: 'the mail came back in time',
  returned_slow: 'the mail came back late',
  failed: 'the mail did not come back',
  awaiting_proof: 'the probe is still proving its own health',
  probe_unproven: 'the probe could not prove its own health',
  never_passed_greylisting: 'a first greylisting, which counts for nothing',
  fails_widely: 'the probe fails for many mail systems that are well elsewhere',
  sender_blocked: 'the target refuses the address of this probe',
  not_run: 'the test could not run',
  no_test_yet: 'no test yet',
  stale: 'the last result is too old',
  retest_awaited: 'waiting for the second test',
}

export const decisionReason = (code: string): string => lookup(decisionReasons, code)
export const verdictReason = (code: string): string => lookup(verdictReasons, code)

const lookup = (table: Readonly<Record<string, string>>, code: string): string =>
  Object.hasOwn(table, code) ? (table[code] ?? humanise(code)) : humanise(code)
