/** Mutations of what keeps tests of routes from voting, and of when they are made and told of. */
import type { Mutant } from './mutant.ts'

const flow = 'test/flow/judge-routes.test.ts'

export const routeMutants: Mutant[] = [
  {
    name: 'survey-has-results',
    file: 'coordinator/core/admission.ts',
    find: " && job.cause !== 'routes') return admitted(job)",
    replace: ') return admitted(job)',
    why: 'Mail over one route alone never votes, also where its probe calls it a result.',
    caughtBy: { file: flow, test: 'a test of a route never votes > and is refused where a probe calls it a result' },
  },
  {
    name: 'route-tests-are-results',
    file: 'coordinator/flow/ingest.ts',
    find: '    admitted.push(...(await admitResults(sql, probe, batch.results, refused)))',
    replace: `    for (const test of batch.routes ?? []) {
      const owner = (await findMonitorOwners(sql, probe.id, [test.monitor_id])).get(test.monitor_id) ?? ''
      const claimed = { cause: 'job' as const, attempt: 1, first_test_id: null, slot: null, slot_at: null, sent_at: null, stages: [], stamp_at: null }
      const boot = { boot_id: batch.boot_id, started_uptime_ms: 1, finished_uptime_ms: 2 }
      admitted.push({ ...test, ...claimed, ...boot, customer_id: owner, generation: 1, target_domain: 'customer.example', isLateNews: false })
    }
    admitted.push(...(await admitResults(sql, probe, batch.results, refused)))`,
    why: 'Tests of routes stand apart from results: no vote, no proof and no leg is made of them.',
    caughtBy: { file: flow, test: 'a test of a route never votes > however many fail, over all routes and from all regions' },
  },
  {
    name: 'probe-tells-routes-as-results',
    file: 'probe/trips.ts',
    find: "      return { kind: 'route', id, body: routeTestOf(order, state, clock) }",
    replace: `      return {
        kind: 'result',
        id,
        body: resultOf(
          { ...order, kind: 'test', cause: 'job', attempt: 1, generation: null, firstTestId: null, slot: null },
          state,
          clock,
          bootId,
        ),
      }`,
    why: 'A probe tells of mail over one route apart from the results that vote.',
    caughtBy: {
      file: 'test/flow/probe-routes.test.ts',
      test: 'a survey of two mail servers > tells of a lost mail once: nothing overdue, no re-test, no control trip, and nothing when it comes late',
    },
  },
  {
    name: 'route-falls-back',
    file: 'probe/trip.ts',
    find: "return order.kind === 'route' ? { ...order.plan.target, host: order.route.mx } : order.plan.target",
    replace: 'return order.plan.target',
    why: 'A mail over one route goes to no other mail server.',
    caughtBy: {
      file: 'test/flow/probe-routes.test.ts',
      test: 'a survey of two mail servers > falls back to no other server: one that is gone is unreachable',
    },
  },
  {
    name: 'survey-in-an-incident',
    file: 'coordinator/core/surveys.ts',
    find: '!settled.includes(decision) || suspected || has_incident',
    replace: "decision === 'pending'",
    why: 'In trouble no survey is made: every mail then is one that counts.',
    caughtBy: { file: flow, test: 'a survey > is not made in an incident' },
  },
  {
    name: 'one-failure-is-a-failing-route',
    file: 'coordinator/core/routes.ts',
    find: 'const surveysToFail = 2',
    replace: 'const surveysToFail = 1',
    why: 'A route fails with its second survey in a row, and not while a mail server is being restarted.',
    caughtBy: { file: 'test/unit/core-routes.test.ts', test: 'a route > of which one mail was lost works still' },
  },
]
