/** What a judgement is made from, and what it makes of it: plain data, UTC in ms. */
import type { Outcome } from '../../common/wire/test.ts'
import type { FailureDomain } from './failure-domain.ts'
import type { Vote } from './quorum.ts'
import type { TestFact, VerdictReason } from './verdict.ts'

export type Mode = 'seed' | 'fast' | 'hedged'
export type Decision = 'pending' | 'up' | 'slow' | 'suspected' | 'partial' | 'down' | 'unconfirmed'

/** What the contract says about the monitor. */
export type MonitorRules = {
  period_s: number
  timeout_s: number
  slow_s: number
  retest_wait_s: number
  hard_confirm_s: number
  open_period_s: number
  vantages: number
  quorum: number
  mode: Mode
}

export type VantageEvidence = {
  probe_id: string
  region: string
  domain: FailureDomain
  /** Holds an assignment of the monitor now; otherwise it stands in for one that is lost. */
  planned: boolean
  /** The link has been silent for more than a minute. */
  lost: boolean
  assigned_ms: number
  /** Newest first: every test since the suspicion or incident began, and in any case the newest. */
  tests: TestFact[]
  /** Tests that were out longer than the slow mark when they were told of. */
  overdue: { test_id: string; started_ms: number }[]
  /** The start of its last planned slot before now. */
  slot_started_ms: number | null
  /** When its probe was last connected anew; null: that is not known. */
  connected_ms: number | null
  passed_ms: number | null
  contradicted: number
  monitors_held: number
}

export type Evidence = {
  vantages: VantageEvidence[]
  /** Healthy, connected probes that are no vantage of this monitor. */
  pool: { probe_id: string; domain: FailureDomain }[]
  /** Since when a coordinator has been there to receive results without a break. */
  observing_since_ms: number
  /** The start of the oldest failing test that was told of late, of those that are not settled; null: there is none. */
  late_since_ms: number | null
  /** When the customer was told that mail of this monitor is gone, was gone or is back, newest first, as far as flapping.ts counts. */
  told_ms: number[]
  /** The customer has been told of the open incident, or is about to be: a page of it is written. */
  incident_told: boolean
}

export type Suspicion = {
  first_test_id: string
  first_probe_id: string
  /** The start of the first failing test: only tests sent since then vote. */
  since_ms: number
  deadline_ms: number
  /** When each vantage was last asked for a confirmation. */
  asked: Record<string, number>
  /** The pool's probe that votes in place of a lost vantage. */
  substitutes: Record<string, string>
}

export type OpenIncident = {
  kind: 'down' | 'unconfirmed'
  since_ms: number
  opened_ms: number
  /** When the vantages were last asked to test out of turn. */
  asked_ms: number
  /** One of a series (flapping.ts): it ends when mail has returned steadily. */
  flapping: boolean
  /** Since when the votes have said without a break that it is over; null: they do not. */
  well_since_ms: number | null
}

export type MonitorState = {
  decision: Decision
  reason: JudgementReason
  decision_since_ms: number
  /** A verified return has been seen: we may mail there, and may page. */
  watched: boolean
  suspicion: Suspicion | null
  incident: OpenIncident | null
  /** Peers' mail is overdue: who was started early because of it, and when (mode `hedged`). */
  hedge: { asked: Record<string, number> } | null
  /** Per vantage: tests that started up to here have been settled and open no new suspicion. */
  settled: Record<string, number>
  /** The same for all vantages, set when a person has ended an incident, and when one was told of that was over. */
  settled_all_ms: number
  /** By probe, of the vantages whose address the target refuses by policy (blocked.ts): since when, and the newest such test. */
  blocked: Record<string, { since_ms: number; test_id: string }>
  /** Failures were told of late (past-outage.ts), and more such news may be out. */
  late: LateNews | null
}

export type LateNews = {
  seen_ms: number
  /** As they were then: what has been told of or answered since settles no earlier failures that, with those heard of later, are an outage. */
  settled: MonitorState['settled']
  settled_all_ms: number
  /** The outages that were told of since then: what failed in them is theirs, whoever tells of it. */
  told: { since_ms: number; ended_ms: number }[]
}

export type JudgementReason =
  | 'no_return_yet'
  | 'first_return'
  | 'all_well'
  | 'mail_is_slow'
  | 'test_failed'
  | 'votes_missing'
  | 'hard_failure_held'
  | 'quorum_fails'
  | 'some_vantages_pass'
  | 'nothing_fails'
  | 'votes_stayed_out'
  | 'no_fresh_results'
  | 'tests_say_nothing'
  | 'too_few_witnesses'
  | 'over_before_heard'
  | 'flapping'
  | 'recovered'
  | 'resolved_by_hand'

/** One vantage's vote as it is shown: in the incident, in its events and on the dashboard. */
export type VoteView = {
  probe_id: string
  region: string
  vote: Vote
  reason: VerdictReason | 'retest_awaited' | 'no_test_yet'
  outcome: Outcome | null
  test_id: string | null
}

export type Effect =
  | { kind: 'ask'; probe_id: string; cause: 'confirm' | 'open' }
  | {
      kind: 'open_incident'
      incident_kind: 'down' | 'unconfirmed'
      since_ms: number
      last_good_ms: number | null
      flapping: boolean
      votes: VoteView[]
    }
  /** An unconfirmed incident has found its quorum. */
  | { kind: 'confirm_incident'; since_ms: number; last_good_ms: number | null; flapping: boolean; votes: VoteView[] }
  /** Nobody has been told of the open incident, and meanwhile it is one of a series no longer. */
  | { kind: 'series_over' }
  /** It was over before we heard of it: opened and resolved in one. `withheld`: the hour has its notices, and this one wakes nobody. */
  | {
      kind: 'past_incident'
      since_ms: number
      last_good_ms: number | null
      /** The starts of the tests between which it ended; `first_pass_ms` is null where none is known, and then it had ended by now. */
      last_fail_ms: number
      first_pass_ms: number | null
      ended_ms: number
      withheld: boolean
      votes: VoteView[]
    }
  /** `well_since_ms`: since when mail returns, by the votes; null where nobody knew that it did not. */
  | { kind: 'resolve_incident'; well_since_ms: number | null; votes: VoteView[] }
  /** The target refuses the address of this vantage by policy; and it does so no longer, or nobody tests from there any more. */
  | { kind: 'sender_blocked'; probe_id: string; test_id: string }
  | { kind: 'block_ended'; probe_id: string }

export type Judgement = {
  state: MonitorState
  effects: Effect[]
  /** When to judge again if nothing happens before; null: not at all. */
  wake_ms: number | null
  votes: VoteView[]
}
