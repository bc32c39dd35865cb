/** Mutations of the flows: what is committed when, who is told, once, and what stops it. */
import type { Mutant } from './mutant.ts'

const pages = 'test/flow/judge-pages.test.ts'
const votes = 'test/flow/judge-votes.test.ts'

export const commitMutants: Mutant[] = [
  {
    name: 'page-before-commit',
    file: 'coordinator/flow/judge.ts',
    find: 'await carryOut(context, tx, monitor, judgement)',
    replace: 'await context.store.transaction((own) => carryOut(context, own, monitor, judgement))',
    why: 'Incident, pages and the new state commit in one transaction.',
    caughtBy: { file: votes, test: 'from results to an incident > a judgement that cannot be committed has paged nobody' },
  },
  {
    name: 'acknowledged-before-commit',
    file: 'coordinator/flow/ingest.ts',
    find: 'await system.begin(async (sql) => {',
    replace: 'system.begin(async (sql) => {',
    why: 'A result is acknowledged after it is durable.',
    caughtBy: { file: votes, test: 'what is not taken > a batch that cannot be written is not acknowledged' },
  },
  {
    name: 'judged-twice-at-once',
    file: 'coordinator/store/judging.ts',
    find: 'where judge_at <= now() order by judge_at limit 1 for update skip locked',
    replace: 'where judge_at <= now() order by judge_at limit 1',
    why: 'Whoever judges a monitor holds it.',
    caughtBy: {
      file: 'test/flow/store-contract.test.ts',
      test: 'the store on PostgreSQL > judging > a marked monitor is claimed once: who comes meanwhile finds nothing due',
    },
  },
  {
    name: 'page-not-unique',
    file: 'coordinator/store/migrations/0001-foundation.sql',
    find: '  unique (customer_id, incident_id, kind, step, round, recipient),\n',
    replace: '',
    why: 'A page is unique by incident, kind, step, round and recipient.',
    caughtBy: { file: 'test/flow/store-outbox.test.ts', test: 'a page is written once, however often its step is taken' },
  },
]

export const pagingMutants: Mutant[] = [
  {
    name: 'unconfirmed-pages-the-customer',
    file: 'coordinator/flow/escalate.ts',
    find: "if (incident.kind !== 'down')",
    replace: 'if (incident.kind === null)',
    why: 'Too few healthy vantages are the affair of the operator.',
    caughtBy: { file: pages, test: 'too few healthy vantages > page the operator and nobody else' },
  },
  {
    name: 'acknowledged-and-paged-on',
    file: 'coordinator/store/incidents.ts',
    find: ', next_step = null, next_round = null, next_step_at = null',
    replace: '',
    why: 'Whoever acknowledges stops the escalation.',
    caughtBy: { file: pages, test: 'steps > end when somebody acknowledges' },
  },
  {
    name: 'all-clear-to-who-was-not-told',
    file: 'coordinator/store/outbox.ts',
    find: "and (state in ('accepted', 'sending') or doubts > 0) group by",
    replace: 'group by',
    why: 'The all-clear goes to those who were told of the trouble, and to nobody else.',
    caughtBy: {
      file: pages,
      test: 'the end of an incident > cancels what has not been sent, and says nothing to who was told nothing',
    },
  },
  {
    name: 'given-up-while-awaited',
    file: 'coordinator/flow/send-pages.ts',
    find: 'if (page.awaited) return false',
    replace: '',
    why: 'What tells of an open incident is tried until somebody acknowledges.',
    caughtBy: {
      file: 'test/flow/judge-pages.test.ts',
      test: 'sending > a gateway that never answers is asked further and further apart, and once an hour for as long as nobody acknowledges',
    },
  },
  {
    name: 'given-up-at-the-first-doubt',
    file: 'coordinator/flow/send-pages.ts',
    find: 'isDoubtfulForLong(page) : page.attempts',
    replace: 'page.attempts >= doubtsMax : page.attempts',
    why: 'Attempts in which no gateway was there do not count as doubts.',
    caughtBy: {
      file: 'test/flow/judge-pages.test.ts',
      test: 'sending > an all-clear that found no gateway for long is not given up at the first doubt',
    },
  },
  {
    name: 'repeat-not-marked',
    file: 'coordinator/flow/send-pages.ts',
    find: 'await attempt(runtime, unknownLast(gateways, first.gateway), page, true)',
    replace: 'await attempt(runtime, unknownLast(gateways, first.gateway), page, false)',
    why: 'A page that a gateway may have sent already is marked as a repeat.',
    caughtBy: {
      file: pages,
      test: 'sending > a gateway that falls silent may have it: once more through another, marked as a repeat',
    },
  },
  {
    name: 'repeat-after-a-crash-not-marked',
    file: 'coordinator/store/outbox.ts',
    find: "doubts = doubts + (state = 'sending')::int",
    replace: 'doubts = doubts',
    why: 'What a vanished coordinator was sending may have been sent.',
    caughtBy: {
      file: pages,
      test: 'sending > a coordinator that vanished in the middle: another sends it again, marked as a repeat',
    },
  },
  {
    name: 'maintenance-ignored',
    file: 'coordinator/flow/escalate.ts',
    find: 'if (untilMs === null) return false',
    replace: 'if (untilMs === null || nowMs > 0) return false',
    why: 'In maintenance nobody is paged.',
    caughtBy: {
      file: 'test/flow/maintenance.test.ts',
      test: 'an incident that opens in maintenance > pages nobody before the window ends, and starts its escalation then',
    },
  },
  {
    name: 'no-look-after-maintenance',
    file: 'coordinator/flow/escalate.ts',
    find: '?? (await lookedAtMs(tx, incident, nowMs))',
    replace: '?? null',
    why: 'Maintenance that is over just in time wakes nobody.',
    caughtBy: {
      file: 'test/flow/maintenance.test.ts',
      test: 'an incident that opens in maintenance > and ends as the window does: the look after it finds so, and nobody hears of it',
    },
  },
]
