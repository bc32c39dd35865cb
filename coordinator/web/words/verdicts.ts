/** The words, shapes and tones of everything that has a state. A state never shows by colour alone. */
import type { PageKind } from '../../store/outbox.ts'
import type { Decision, Outcome, Page, Probe, VerdictWord } from '../api/resources.ts'

export type Tone = 'good' | 'warn' | 'bad' | 'unsure' | 'idle'
export type Shape = 'check' | 'clock' | 'alert' | 'half' | 'cross' | 'question' | 'dash' | 'dots' | 'ring' | 'pause'
export type Mark = { tone: Tone; shape: Shape; word: string; meaning: string }

const mark = (tone: Tone, shape: Shape, word: string, meaning: string): Mark => ({ tone, shape, word, meaning })
/** What a newer coordinator may say and this page does not know. */
const unknownMark = (word: string): Mark => mark('idle', 'question', humanise(word), '')

const decisions: Record<Decision, Mark> = {
  up: mark('good', 'check', 'Up', 'Mail comes back in time.'),
  slow: mark('warn', 'clock', 'Slow', 'Mail comes back, but later than the slow mark. Nobody is paged for it.'),
  suspected: mark('warn', 'alert', 'Suspected', 'A test failed. The other regions are testing now, before anybody is woken.'),
  partial: mark('warn', 'half', 'Partial', 'Some regions reach this system and some do not.'),
  down: mark('bad', 'cross', 'Down', 'Probes in different regions agree that mail does not come back.'),
  unconfirmed: mark(
    'unsure',
    'question',
    'Unconfirmed',
    'Too few healthy probes can say whether mail works. The operator is paged.',
  ),
  pending: mark('idle', 'ring', 'Pending', 'Waiting for the first verified return. Nobody is paged before it.'),
}

const verdicts: Record<VerdictWord, Mark> = {
  pass: mark('good', 'check', 'pass', 'The mail came back in time, verified.'),
  slow: mark('warn', 'clock', 'slow', 'The mail came back late.'),
  fail: mark('bad', 'cross', 'fail', 'The mail did not come back, and the probe proved its own health.'),
  abstain: mark(
    'idle',
    'dash',
    'abstains',
    'This probe has no say now: its own side is in doubt, or the target refuses its address.',
  ),
  no_data: mark('idle', 'dots', 'no data', 'No recent test from here.'),
}

const outcomes: Record<Outcome, Mark> = {
  ok: mark('good', 'check', 'back in time', 'The mail came back in time, verified.'),
  slow: mark('warn', 'clock', 'back, slow', 'The mail came back after the slow mark.'),
  timeout: mark('bad', 'cross', 'not back', 'The mail was accepted and did not come back within the timeout.'),
  echo: mark('bad', 'cross', 'unstamped', 'The mail came back without the stamp of a responder.'),
  bounced: mark('bad', 'cross', 'bounced', 'The mail was accepted and then returned as undeliverable.'),
  refused: mark('bad', 'cross', 'refused', 'The mail server refused the mail for good.'),
  deferred: mark('bad', 'cross', 'deferred', 'The mail server kept asking to try later until the timeout.'),
  unreachable: mark('bad', 'cross', 'unreachable', 'No connection to the mail server.'),
  tls: mark('bad', 'cross', 'TLS failed', 'The encrypted connection could not be made.'),
  dns: mark('bad', 'cross', 'DNS failed', 'The name of the mail server could not be resolved.'),
  auth: mark('bad', 'cross', 'login failed', 'The mail server did not accept the login.'),
  blocked: mark(
    'idle',
    'dash',
    'blocked',
    'The mail server refuses the address of this probe by policy; this counts for nothing.',
  ),
  not_run: mark('idle', 'dash', 'not run', 'The probe could not run this test; this counts for nothing.'),
}

const pageStates: Record<Page['state'], Mark> = {
  pending: mark('idle', 'ring', 'waiting', 'Due, and not yet handed to a gateway.'),
  sending: mark('idle', 'clock', 'sending', 'Being handed to a gateway.'),
  accepted: mark('good', 'check', 'accepted', 'A gateway has taken it.'),
  failed: mark('bad', 'cross', 'failed', 'No gateway took it.'),
  cancelled: mark('idle', 'dash', 'cancelled', 'Not needed any more.'),
}

/** What a page tells of. `resolved` is also what a person has closed. */
const pageKinds: Record<PageKind, string> = {
  down: 'Down',
  resolved: 'Resolved',
  past: 'Was down',
  fleet: 'Fleet',
  blind: 'Blind',
  blind_resolved: 'Blind over',
  unconfirmed: 'Unconfirmed',
  unconfirmed_resolved: 'Unconfirmed is over',
}

const probeStates: Record<Probe['state'], Mark> = {
  connected: mark('good', 'check', 'connected', 'On the link and testing.'),
  lost: mark('bad', 'cross', 'lost', 'Not on the link. It goes on testing by itself and reports later.'),
  pending: mark('idle', 'ring', 'not enrolled', 'Waiting for its first start with the enrolment token.'),
  retired: mark('idle', 'dash', 'retired', 'Taken out of service.'),
}

export const decisionMark = (decision: Decision): Mark => decisions[decision] ?? unknownMark(decision)
export const verdictMark = (verdict: VerdictWord): Mark => verdicts[verdict] ?? unknownMark(verdict)
export const outcomeMark = (outcome: Outcome): Mark => outcomes[outcome] ?? unknownMark(outcome)
export const pageMark = (state: Page['state']): Mark => pageStates[state] ?? unknownMark(state)
export const pageWord = ({ kind }: Pick<Page, 'kind'>): string => pageKinds[kind as PageKind] ?? humanise(kind)
export const probeMark = (state: Probe['state']): Mark => probeStates[state] ?? unknownMark(state)

/** `responder_silent` → `Responder silent`; anything that is a sentence already stays as it is. */
export function humanise(code: string): string {
  if (!/^[a-z0-9]+([_.-][a-z0-9]+)*$/.test(code)) return code
  const words = code.replace(/[_.-]+/g, ' ')
  return words.charAt(0).toUpperCase() + words.slice(1)
}
