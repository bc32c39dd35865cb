/**
 * Vantages whose address the target refuses by policy (a block list, a rule about senders). That is no outage of the customer's mail and
 * wakes nobody, but their tests count for nothing until somebody lets them through: a notice tells of it from the first refusal to the
 * next mail that passes.
 */
import type { Effect, Evidence, MonitorState, VantageEvidence } from './evidence.ts'
import { isPass } from './verdict.ts'

type Blocked = MonitorState['blocked']

export function findBlocked(before: Blocked, { vantages }: Evidence): { blocked: Blocked; effects: Effect[] } {
  const found = vantages.flatMap(({ planned, probe_id, tests }) => {
    const block = planned ? blockOf(tests, before[probe_id]) : undefined
    return block === undefined ? [] : [[probe_id, block] as const]
  })
  const blocked = Object.fromEntries(found)
  const begun = found.filter(([probe_id]) => before[probe_id] === undefined)
  // It has ended where a mail has passed, and where nobody tests from there any more.
  const ended = Object.keys(before).filter((probe_id) => blocked[probe_id] === undefined)
  return {
    blocked,
    effects: [
      ...begun.map(([probe_id, { test_id }]): Effect => ({ kind: 'sender_blocked', probe_id, test_id })),
      ...ended.map((probe_id): Effect => ({ kind: 'block_ended', probe_id })),
    ],
  }
}

/** Refused since a mail has passed; what is neither of both leaves it as it was. `tests`: newest first. */
function blockOf(tests: VantageEvidence['tests'], before: Blocked[string] | undefined): Blocked[string] | undefined {
  const passed = tests.findIndex(({ outcome }) => isPass(outcome))
  const refusals = (passed < 0 ? tests : tests.slice(0, passed)).filter(({ outcome }) => outcome === 'blocked')
  const [newest] = refusals
  const standing = passed < 0 ? before : undefined
  if (newest === undefined) return standing
  return { since_ms: standing?.since_ms ?? refusals.at(-1)?.started_ms ?? newest.started_ms, test_id: newest.id }
}

/** What a refusal looks like from outside; `words`: the server's own. */
export type SeenBlock = { region: string; sender: string | null; server: string | null; words: string | null }

/** In words, with what to do: the server says itself which of our addresses it refuses. */
export function blockedNotice({ region, sender, server, words }: SeenBlock): string {
  const said = words === null ? '' : `: ${words.replace(/[.\s]+$/, '')}`
  const from = sender === null ? 'our probe' : sender
  return `${server ?? 'the mail server'} refuses our address in ${region} by policy${said}. Tests from there count for nothing until one passes: allow mail from ${from}, and the address that the server names`
}
