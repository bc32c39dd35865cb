/** The oracle of the core can fail: histories written by hand, each with what it must say of them. */
import { describe, expect, test } from 'vitest'
import { hourMs, minuteMs } from '../../common/durations.ts'
import type { VoteView } from '../../coordinator/core/evidence.ts'
import { judgeHistory } from './oracle.ts'
import type { Page } from './pages.ts'
import type { Trouble } from './setting.ts'
import { promptWorld } from './sweep.ts'

const rules = { period_s: 1200, timeout_s: 600, slow_s: 120, retest_wait_s: 30, hard_confirm_s: 180, open_period_s: 300 }
const setting = promptWorld({ ...rules, vantages: 3, quorum: 2, mode: 'fast' })
const { startMs } = setting
const trouble = { fromMs: startMs + hourMs, toMs: startMs + 3 * hourMs }
const healthy = setting.probes.map(({ id }, index) => ({ probeId: id, startsMs: index * 400_000 }))

/** A page twenty minutes into the trouble, by the failing votes of the first two probes. */
const page: Page = {
  atMs: trouble.fromMs + 20 * minuteMs,
  kind: 'down',
  sinceMs: trouble.fromMs + minuteMs,
  lastGoodMs: trouble.fromMs - minuteMs,
  votes: ['probe-0', 'probe-1'].map((probe_id): VoteView => {
    const seen = {
      region: probe_id.replace('probe', 'region'),
      reason: 'failed',
      outcome: 'timeout',
      test_id: `${probe_id}-1`,
    } as const
    return { probe_id, vote: 'fail', ...seen }
  }),
  resolvedMs: trouble.toMs + minuteMs,
}

const pageAfterwards: Page = { ...page, kind: 'past', atMs: trouble.toMs + minuteMs }

type Row = { what: string; troubles: Trouble[]; pages: Page[]; lost?: string[]; says: string[] }

const everybody = { regions: null, ...trouble }
const one = { regions: ['region-0'], ...trouble }
const both = ['probe-0-1', 'probe-1-1']

const rows: Row[] = [
  {
    what: 'returns that are lost for all are an outage',
    troubles: [{ kind: 'mail', fault: 'return_lost', ...everybody }],
    pages: [page],
    says: [],
  },
  { what: 'and must be told of', troubles: [{ kind: 'mail', fault: 'return_lost', ...everybody }], pages: [], says: ['missed'] },
  {
    what: 'so are returns that wait',
    troubles: [{ kind: 'mail', fault: 'return_held', ...everybody }],
    pages: [],
    says: ['missed'],
  },
  { what: 'and logins that are refused', troubles: [{ kind: 'mail', fault: 'auth', ...everybody }], pages: [], says: ['missed'] },
  {
    what: 'returns that one region alone does not get need not be told of',
    troubles: [{ kind: 'mail', fault: 'return_lost', ...one }],
    pages: [],
    says: [],
  },
  {
    what: 'nor may they',
    troubles: [{ kind: 'mail', fault: 'return_lost', ...one }],
    pages: [page],
    lost: ['probe-0-1'],
    says: ['false_page'],
  },
  {
    what: 'what a quorum found is news hours later, where a clock kept a probe from being heard until then',
    troubles: [
      { kind: 'mail', fault: 'swallowed', regions: ['region-0', 'region-1'], ...trouble, toMs: trouble.fromMs + hourMs },
      { kind: 'clock', probe: 'probe-1', byMs: 10 * minuteMs, ...trouble },
    ],
    pages: [pageAfterwards],
    says: [],
  },
  {
    what: 'and not where nothing kept it',
    troubles: [
      { kind: 'mail', fault: 'swallowed', regions: ['region-0', 'region-1'], ...trouble, toMs: trouble.fromMs + hourMs },
    ],
    pages: [pageAfterwards],
    says: ['false_page'],
  },
  { what: 'a brownout need not be told of', troubles: [{ kind: 'brownout', share: 0.9, ...trouble }], pages: [], says: [] },
  {
    what: 'it may, where a quorum lost mails in it',
    troubles: [{ kind: 'brownout', share: 0.9, ...trouble }],
    pages: [page],
    lost: both,
    says: ['in_brownout'],
  },
  {
    what: 'not where fewer did',
    troubles: [{ kind: 'brownout', share: 0.9, ...trouble }],
    pages: [page],
    lost: ['probe-0-1'],
    says: ['false_page'],
  },
  { what: 'a quorum that lost mails without one is chance', troubles: [], pages: [page], lost: both, says: ['coincidence'] },
  {
    what: 'a probe refused by policy is nothing to tell the customer',
    troubles: [{ kind: 'blocked', way: 'refused', ...one }],
    pages: [page],
    says: ['false_page'],
  },
  {
    what: 'nor are all of them',
    troubles: [{ kind: 'blocked', way: 'bounced', ...everybody }],
    pages: [page],
    says: ['false_page'],
  },
  {
    what: 'one that is refused makes no quorum with one that fails',
    troubles: [
      { kind: 'blocked', way: 'deferred', regions: ['region-1'], ...trouble },
      { kind: 'mail', fault: 'swallowed', ...one },
    ],
    pages: [page],
    lost: ['probe-0-1'],
    says: ['false_page'],
  },
  {
    what: 'the operator may hear of it',
    troubles: [{ kind: 'blocked', way: 'refused', ...everybody }],
    pages: [{ ...page, kind: 'unconfirmed', votes: [] }],
    says: [],
  },
  {
    what: 'but not of nothing',
    troubles: [],
    pages: [{ ...page, kind: 'unconfirmed', votes: [] }],
    says: ['baseless_operator_page'],
  },
]

describe('the oracle', () => {
  test.each(rows)('$what', ({ troubles, pages, lost = [], says }) => {
    const watches = [{ fromMs: startMs, coordinating: true, healthy }]
    const { violations } = judgeHistory({ setting, troubles, pages, watches, failedMails: new Set(lost) })
    expect(violations.map(({ kind }) => kind)).toEqual(says)
  })
})
