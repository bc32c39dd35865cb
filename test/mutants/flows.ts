/** Mutations of what is told to whom and how often, each seen by the oracle of the flows in the record of the gateways. */
import type { Mutant } from './mutant.ts'

const pages = 'test/flow/judge-pages.test.ts'
const lateReturns = 'test/flow/judge-late-returns.test.ts'
const seeds = {
  file: 'test/sim/flows.test.ts',
  test: '48 fixed seeds through the whole flows > batch 4: outages reach a phone in time and once, whatever dies or falters meanwhile',
}

export const flowMutants: Mutant[] = [
  {
    name: 'late-return-leaves-the-cause',
    file: 'coordinator/flow/late-returns.ts',
    find: '  await tx.setIncidentCause(',
    replace: '  void (',
    why: 'Where a mail was held is known once it is back: the cause of the open incident says so.',
    caughtBy: {
      file: lateReturns,
      test: 'a mail behind an open incident that comes back late > is told of in the log, and the cause says so; the decision and what was sent stay',
    },
  },
  {
    name: 'late-return-told-of-again',
    file: 'coordinator/store/late-returns.ts',
    find: "and e.type = 'returned_late'",
    replace: "and e.type = 'opened'",
    why: 'A late return is one line in the log, however often its monitor is judged.',
    caughtBy: {
      file: lateReturns,
      test: 'a mail behind an open incident that comes back late > has one line, however often it is told of, and each of several has its own',
    },
  },
  {
    name: 'repeat-in-doubt-not-marked',
    file: 'coordinator/flow/send-pages.ts',
    find: 'await attempt(runtime, inTurn(gateways, page.doubts), page, page.doubts > 0)',
    replace: 'await attempt(runtime, inTurn(gateways, page.doubts), page, false)',
    why: 'What a sender that died may have sent is marked as a repeat.',
    caughtBy: seeds,
  },
  {
    name: 'every-page-marked',
    file: 'coordinator/flow/send-pages.ts',
    find: '(repeated ? markRepeat(page.text) : page.text)',
    replace: 'markRepeat(page.text)',
    why: 'The mark of a repeat has its cause: it excuses a duplicate.',
    caughtBy: seeds,
  },
  {
    name: 'lanes-take-from-each-other',
    file: 'coordinator/flow/send-pages.ts',
    find: 'await claim([...this.#inHand])',
    replace: 'await claim([])',
    why: 'What one lane is sending no other lane of its process sends too.',
    caughtBy: seeds,
  },
  {
    name: 'page-taken-from-who-is-sending-it',
    file: 'coordinator/store/outbox.ts',
    find: "and not exists (select 1 from coordinators c where c.id = claimed_by and c.seen_at > now() - interval '5 seconds'))",
    replace: 'and claimed_by is not null)',
    why: "A page is its sender's as long as that lives.",
    caughtBy: {
      file: pages,
      test: 'sending > a coordinator that vanished in the middle: another sends it again, marked as a repeat',
    },
  },
  {
    name: 'doubt-waits-for-the-first-gateway',
    file: 'coordinator/flow/send-pages.ts',
    find: 'inTurn(gateways, page.doubts)',
    replace: 'inTurn(gateways, 0)',
    why: 'A gateway that swallows does not stand before one that accepts.',
    caughtBy: {
      file: pages,
      test: 'sending > a page in doubt does not wait for the gateway that swallows it while another would take it',
    },
  },
  {
    name: 'outdated-page-sent',
    file: 'coordinator/flow/send-pages.ts',
    find: 'if (page.outdated) {',
    replace: "if (page.outdated && page.kind === 'fleet') {",
    why: 'After the all-clear nobody is told of the trouble.',
    caughtBy: {
      file: pages,
      test: 'the end of an incident > a page that was being sent to a busy gateway at that moment is not sent afterwards',
    },
  },
  {
    name: 'step-left-out',
    file: 'coordinator/core/escalation.ts',
    find: 'policy.steps[cursor.step + 1]',
    replace: 'policy.steps[cursor.step + 2]',
    why: 'The steps of a policy follow one another.',
    caughtBy: seeds,
  },
  {
    name: 'all-clear-never-told',
    file: 'coordinator/flow/incident.ts',
    find: 'if (incident !== null) await pageRecovery(',
    replace: "if (incident !== null && by !== 'resolved') await pageRecovery(",
    why: 'Who was told of the trouble is told of its end.',
    caughtBy: seeds,
  },
  {
    name: 'page-names-no-incident',
    file: 'coordinator/flow/page.ts',
    find: 'code: incident.code,\n    cause:',
    replace: 'code: incident.code.toLowerCase(),\n    cause:',
    why: 'Each message names the incident that it is about.',
    caughtBy: seeds,
  },
]
