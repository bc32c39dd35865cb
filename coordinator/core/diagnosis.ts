/**
 * Where did it die: the place on the way of the mail that a result's evidence points to. The first rule that fits decides; each claims no
 * more than its evidence shows. docs/judgement.md has the same table for people, kept equal by a test.
 *
 *   name resolution ─► connection ─► TLS ─► server (refused, deferred) ─► mailbox (lost) ─► responder ─► return leg ─► probe
 */
import type { Outcome, ResultDetail } from '../../common/wire/test.ts'
import type { Legs } from './legs.ts'
import { isPass } from './verdict.ts'

export const places = [
  'name_resolution',
  'connection',
  'tls',
  'refused',
  'deferred',
  'accepted_then_lost',
  'responder_silent',
  'returned_late',
  'return_leg',
  'our_side',
] as const
export type Place = (typeof places)[number]

export type TestEvidence = {
  outcome: Outcome
  detail: ResultDetail
  /** The stamped mail came back after the deadline; its legs where they are known. */
  late: { rtt_ms: number; legs: Legs | null } | null
}

export type EvidenceKind =
  | 'not_run'
  | 'blocked'
  | 'late_on_the_way_back'
  | 'late'
  | 'no_route'
  | 'no_connection'
  | 'no_tls'
  | 'no_login'
  | 'refused'
  | 'deferred'
  | 'unstamped'
  | 'responder_failed'
  | 'bounced_after_delay'
  | 'bounced'
  | 'delayed'
  | 'unanswered'
  | 'nothing'

/** `words`: what a mail server said about it, as it said it. Where the mail has come back, what the first one said as it took it is no part of it. */
export type Diagnosis = { evidence: EvidenceKind; place: Place; words: string | null }

type Rule = {
  evidence: EvidenceKind
  place: Place /** The evidence in words. */
  means: string
  holds: (test: TestEvidence) => boolean
}

const has = (outcome: Outcome) => (test: TestEvidence) => test.outcome === outcome

/** In order: the first that holds decides. */
export const rules: readonly Rule[] = [
  { evidence: 'not_run', place: 'our_side', means: 'the probe could not run the test', holds: has('not_run') },
  { evidence: 'blocked', place: 'our_side', means: 'a server refuses the address of the probe by policy', holds: has('blocked') },
  {
    evidence: 'late_on_the_way_back',
    place: 'return_leg',
    means: 'the stamped mail came back after the deadline, and surely was longer on its way back than out',
    holds: ({ late }) => late !== null && late.legs !== null && late.legs.return_ms.min > late.legs.outbound_ms.max,
  },
  {
    evidence: 'late',
    place: 'returned_late',
    means: 'the stamped mail came back after the deadline',
    holds: ({ late }) => late !== null,
  },
  {
    evidence: 'no_route',
    place: 'name_resolution',
    means: 'the domain has no mail server that can be looked up',
    holds: has('dns'),
  },
  {
    evidence: 'no_connection',
    place: 'connection',
    means: 'no address answers, or the dialogue breaks off before the mail is taken',
    holds: has('unreachable'),
  },
  { evidence: 'no_tls', place: 'tls', means: 'the encrypted connection cannot be made', holds: has('tls') },
  { evidence: 'no_login', place: 'refused', means: 'the server does not accept the login', holds: has('auth') },
  { evidence: 'refused', place: 'refused', means: 'the server answers 5xx', holds: has('refused') },
  { evidence: 'deferred', place: 'deferred', means: 'the server answers 4xx until the deadline', holds: has('deferred') },
  {
    evidence: 'unstamped',
    place: 'responder_silent',
    means: 'the mail came back without a stamp: it is delivered and forwarded, and no responder answers it',
    holds: has('echo'),
  },
  {
    evidence: 'responder_failed',
    place: 'responder_silent',
    means: "a bounce or a notice of delay names the responder's program or the command that should run it",
    holds: ({ detail }) => namesTheProgram(detail.dsn_words),
  },
  {
    evidence: 'bounced_after_delay',
    place: 'deferred',
    means: 'a bounce with status 4.x: a server behind the first has given up trying',
    holds: ({ outcome, detail }) => outcome === 'bounced' && detail.dsn_status?.startsWith('4') === true,
  },
  { evidence: 'bounced', place: 'refused', means: 'any other bounce: a server behind the first refuses', holds: has('bounced') },
  {
    evidence: 'delayed',
    place: 'deferred',
    means: 'accepted, then a notice of delay: a server behind the first still tries',
    holds: ({ detail }) => detail.dsn_words !== undefined || detail.dsn_status !== undefined,
  },
  {
    evidence: 'unanswered',
    place: 'connection',
    means: 'the connection broke after the mail and before the answer to it, and nothing came back',
    holds: ({ detail }) => detail.stage === 'accept',
  },
  {
    evidence: 'nothing',
    place: 'accepted_then_lost',
    means:
      'accepted with 250, then nothing at all: lost behind the server or left unanswered by the responder, which nobody outside can tell apart',
    holds: has('timeout'),
  },
]

/** Null where the mail came back in time. */
export function diagnose(test: TestEvidence): Diagnosis | null {
  if (isPass(test.outcome)) return null
  const rule = rules.find(({ holds }) => holds(test))
  if (rule === undefined) return null
  const { server_words, dsn_words } = test.detail
  const cameBack = test.late !== null || test.outcome === 'echo'
  return { evidence: rule.evidence, place: rule.place, words: dsn_words ?? (cameBack ? null : (server_words ?? null)) }
}

/** How mail servers speak of a program that they could not run or that failed. A table, each row with a sample. */
const programWords: readonly RegExp[] = [
  // Command died with status 127: "/usr/local/bin/mailscout-responder" (Postfix, Exim)
  /\bmailscout[-\w]*responder\b/i,
  // Command died with status 126 · Command time limit exceeded · temporary failure. Command output: … (Postfix)
  /\bcommand (died|output|time limit)\b/i,
  // Child process of address_pipe transport returned 127 from command (Exim)
  /\baddress_pipe transport\b|\btransport returned \d+ .*\bfrom command\b/i,
  // 554 5.3.0 unknown mailer error 127 (sendmail)
  /\bunknown mailer error \d+\b/i,
]

const namesTheProgram = (words: string | undefined): boolean =>
  words !== undefined && programWords.some((pattern) => pattern.test(words))
