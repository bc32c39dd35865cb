/** What a change of policy or contacts does to an outage that is under way: by the API, on the real database. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { escalateNext } from '../../coordinator/flow/escalate.ts'
import { startTestApi, type TestApi } from '../support/api.ts'
import { WatchedMonitor } from '../support/watched-monitor.ts'

let api: TestApi
let monitor: WatchedMonitor
beforeAll(async () => {
  api = await startTestApi()
})
afterAll(() => api?.stop())
beforeEach(async () => {
  await api.admin`update incidents set next_step_at = null, amended = false`
})

const change = async (path: string, body: object) => {
  const answer = await api.operator('PATCH', `/v1/${path}`, body)
  expect(answer.status).toBe(200)
  return answer.body
}
const steps = async () => {
  while (await escalateNext(monitor.context));
}
const paged = async () => (await monitor.pages()).map(({ kind, step, round, address }) => `${kind} ${round}.${step} ${address}`)
const contact = async (address: string): Promise<string> => {
  const methods = [{ kind: 'sms', address }]
  return (await api.operator('POST', '/v1/contacts', { customer_id: monitor.customerId, name: address, methods })).body.id
}

test('a monitor that is given a policy while it is down pages by it', async () => {
  monitor = await WatchedMonitor.create(api, { settings: { escalation_policy_id: null } })
  await monitor.goDown()
  await steps()
  expect([await paged(), await monitor.events()]).toEqual([[], ['opened', 'no_policy']])
  await change(`monitors/${monitor.id}`, { escalation_policy_id: monitor.policyId })
  await steps()
  expect(await paged()).toEqual(['down 0.0 +61400000001'])
})

test('whoever takes the place of others in the policy is told, and they are told no more', async () => {
  monitor = await WatchedMonitor.create(api, { steps: [{ after_s: 0 }, { after_s: 1800 }] })
  await monitor.goDown()
  await change(`escalation-policies/${monitor.policyId}`, {
    steps: [{ after_s: 0, contact_ids: [await contact('+61400000003')] }],
  })
  await steps()
  await monitor.passTime(86_400)
  await steps()
  expect(await paged()).toEqual(['down 0.0 +61400000001', 'down 0.0 +61400000003'])
  expect((await monitor.events()).slice(-2)).toEqual(['policy_changed', 'policy_exhausted'])
})

test('a number that is put right when all steps are done is paged, once, and a name wakes nobody', async () => {
  monitor = await WatchedMonitor.create(api)
  await monitor.goDown()
  expect(await monitor.events()).toEqual(['opened', 'paged', 'policy_exhausted'])
  const right = { methods: [{ kind: 'sms', address: '+61400000009' }] }
  for (const body of [right, { name: 'Alice Example' }, right]) {
    await change(`contacts/${monitor.contactId}`, body)
    await steps()
  }
  expect(await paged()).toEqual(['down 0.0 +61400000001', 'down 0.0 +61400000009'])
})

test('nobody is told of what somebody looks after already', async () => {
  monitor = await WatchedMonitor.create(api)
  const id = await monitor.goDown()
  await api.operator('POST', `/v1/incidents/${id}/acknowledge`, {})
  await change(`contacts/${monitor.contactId}`, { methods: [{ kind: 'sms', address: '+61400000009' }] })
  await steps()
  expect(await paged()).toEqual(['down 0.0 +61400000001'])
})
