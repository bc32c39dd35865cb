import type { Outcome } from '../../common/wire/test.ts'

/** What control trips say of a failing test that ran from 0 s to 600 s: held by the rule, and by what the store loads for it. */
export type ControlTripCase = {
  what: string
  /** `timeout` unless it says otherwise. */
  outcome?: Outcome
  /** `atS`: when it was sent. `lost`: how, where it did not just stay away. */
  trips: { to: 'a' | 'b' | 'customer'; atS: number; lost?: true | Outcome }[]
  /** When the probe's newest mail to another monitor that has come back was sent. */
  elsewhereAtS?: number
  /** The same to another monitor of the customer's own mail domain. */
  toCustomerAtS?: number
  doubted: boolean
  proved: boolean
}

const longOutage = Array.from({ length: 400 }, (_, index) => ({ to: 'a' as const, atS: 700 + 8 * index, lost: true as const }))

export const controlTripCases: ControlTripCase[] = [
  { what: 'none is known', trips: [], doubted: false, proved: false },
  { what: 'one returned', trips: [{ to: 'a', atS: 120 }], doubted: false, proved: true },
  { what: 'one returned that was sent a minute after the end', trips: [{ to: 'a', atS: 660 }], doubted: false, proved: true },
  { what: 'one returned that was sent later', trips: [{ to: 'a', atS: 661 }], doubted: false, proved: false },
  { what: 'one returned that was sent before', trips: [{ to: 'a', atS: -1 }], doubted: false, proved: false },
  { what: 'one was lost', trips: [{ to: 'a', atS: 120, lost: true }], doubted: true, proved: false },
  { what: 'one was lost long before', trips: [{ to: 'a', atS: -8, lost: true }], doubted: false, proved: false },
  {
    what: 'one was lost just before, none with it',
    trips: [
      { to: 'a', atS: -0.4, lost: true },
      { to: 'a', atS: 6.6 },
    ],
    doubted: true,
    proved: true,
  },
  {
    what: 'one of two was lost just before, and the other returned',
    trips: [
      { to: 'a', atS: -0.4, lost: true },
      { to: 'b', atS: -0.4 },
    ],
    doubted: false,
    proved: false,
  },
  { what: 'one was lost after', trips: [{ to: 'a', atS: 601, lost: true }], doubted: false, proved: false },
  {
    what: 'one of two that were sent at the same time returned: the other reference is out of order',
    trips: [
      { to: 'a', atS: 120, lost: true },
      { to: 'b', atS: 120 },
    ],
    doubted: false,
    proved: true,
  },
  {
    what: 'another returned that was sent in the same minute, when a gap in our own inbox may have been over',
    trips: [
      { to: 'a', atS: 120, lost: true },
      { to: 'b', atS: 130 },
    ],
    doubted: true,
    proved: true,
  },
  {
    what: 'one was lost, and mail sent elsewhere beside it came back',
    trips: [{ to: 'a', atS: 120, lost: true }],
    elsewhereAtS: 121,
    doubted: false,
    proved: false,
  },
  {
    what: 'one was lost, and mail sent elsewhere came back that was sent too long after it',
    trips: [{ to: 'a', atS: 120, lost: true }],
    elsewhereAtS: 121.001,
    doubted: true,
    proved: false,
  },
  {
    what: "one was lost, and mail to the customer's own domain beside it came back",
    trips: [{ to: 'a', atS: 120, lost: true }],
    toCustomerAtS: 121,
    doubted: true,
    proved: false,
  },
  {
    what: "one returned from the customer's own domain",
    trips: [{ to: 'customer', atS: 120 }],
    doubted: false,
    proved: false,
  },
  {
    what: 'one was lost, mail sent elsewhere beside it came back, and the reference answers the next',
    trips: [
      { to: 'a', atS: 120, lost: true },
      { to: 'a', atS: 540 },
    ],
    elsewhereAtS: 121,
    doubted: true,
    proved: true,
  },
  {
    what: 'one of two returned at the edge of a gap in our own inbox: the reference of the other answers the next',
    trips: [
      { to: 'a', atS: 120, lost: true },
      { to: 'b', atS: 120 },
      { to: 'a', atS: 127 },
      { to: 'b', atS: 127 },
    ],
    doubted: true,
    proved: true,
  },
  {
    what: 'a reference that was out of order answers again when the test is long over',
    trips: [
      { to: 'a', atS: 120, lost: true },
      { to: 'b', atS: 120 },
      { to: 'a', atS: 661 },
    ],
    doubted: false,
    proved: true,
  },
  {
    what: 'one was lost, and hundreds were after it',
    trips: [{ to: 'a', atS: 120, lost: true }, ...longOutage],
    doubted: true,
    proved: false,
  },
  {
    what: 'one came back without a stamp: that reference has no responder',
    trips: [{ to: 'a', atS: 120, lost: 'echo' }],
    doubted: false,
    proved: true,
  },
  {
    what: 'one got out and was lost, beside a test whose mail never got out',
    outcome: 'unreachable',
    trips: [
      { to: 'a', atS: 120, lost: true },
      { to: 'a', atS: 540 },
    ],
    doubted: false,
    proved: true,
  },
  {
    what: 'one never got out, as the mail of the test',
    outcome: 'unreachable',
    trips: [
      { to: 'a', atS: 120, lost: 'unreachable' },
      { to: 'a', atS: 540 },
    ],
    doubted: true,
    proved: true,
  },
  {
    what: 'one was cut short as the probe was started again, beside a test that never got its mail out',
    outcome: 'deferred',
    trips: [
      { to: 'a', atS: 120, lost: 'not_run' },
      { to: 'a', atS: 540 },
    ],
    doubted: false,
    proved: true,
  },
  {
    what: 'one never got out, beside a test whose mail did not come back',
    trips: [
      { to: 'a', atS: 120, lost: 'unreachable' },
      { to: 'a', atS: 540 },
    ],
    doubted: true,
    proved: true,
  },
]
