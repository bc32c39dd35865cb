/**
 * Sets up a demonstration by the public API: three probes, a customer with a contact, and one monitor with short times. Repeated, it
 * finds what is there.
 */
import type { Api } from './api.ts'

export const demoRegions = ['eu', 'us', 'ap'] as const
export type DemoRegion = (typeof demoRegions)[number]

export const demoDomains = { customer: 'customer.example', reference: 'reference.example' }
export const returnAddress = (region: DemoRegion): string => `rt@${region}.probe.example`

type Named = { id: string; name: string }
type Probe = Named & { state: string }

async function findOrCreate<T extends Named>(api: Api, path: string, name: string, body: object, query = ''): Promise<T> {
  const { data } = await api.get<{ data: T[] }>(`${path}?limit=500${query}`)
  return data.find((item) => item.name === name) ?? (await api.post<T>(path, { name, ...body }))
}

/** Makes sure of the probe; `token`: for its enrolment, where it has not enrolled yet. One that was retired stays so. */
export async function setUpProbe(api: Api, region: DemoRegion): Promise<{ retired: boolean; token: string | null }> {
  const created = await findOrCreate<Probe & { enrolment_token?: string }>(api, '/v1/probes', `demo-${region}`, { region })
  if (created.enrolment_token !== undefined) return { retired: false, token: created.enrolment_token }
  if (created.state !== 'pending') return { retired: created.state === 'retired', token: null }
  const { enrolment_token } = await api.post<{ enrolment_token: string }>(`/v1/probes/${created.id}/enrolment-token`, {})
  return { retired: false, token: enrolment_token }
}

/** The demo customer and monitor; `server` is where its mail system listens. Returns the monitor's id. */
export async function setUpMonitor(api: Api, server: { host: string; port: number }): Promise<string> {
  await findOrCreate(api, '/v1/service-levels', 'demo', {
    vantages: 3,
    quorum: 2,
    period_min_s: 5,
    mode: 'seed',
    channels: ['sms'],
    sms_per_day: 100,
  })
  const customer = await findOrCreate<Named>(api, '/v1/customers', 'Demo customer', { service_level: 'demo' })
  const ofCustomer = `&customer_id=${customer.id}`
  const owned = { customer_id: customer.id }
  const contact = await findOrCreate<Named>(
    api,
    '/v1/contacts',
    'Night shift',
    { ...owned, methods: [{ kind: 'sms', address: '+61400000000' }] },
    ofCustomer,
  )
  const policy = await findOrCreate<Named>(
    api,
    '/v1/escalation-policies',
    'Wake the night shift',
    { ...owned, steps: [{ after_s: 0, contact_ids: [contact.id] }], repeat: 0 },
    ofCustomer,
  )
  const monitor = await findOrCreate<Named>(
    api,
    '/v1/monitors',
    'Demo customer mail',
    {
      ...owned,
      kind: 'roundtrip',
      target: { address: `scout@${demoDomains.customer}`, ...server },
      // Short, so that one sees it work: the defaults are 20 min, 10 min, 2 min and 30 s.
      period_s: 10,
      timeout_s: 8,
      slow_s: 3,
      retest_wait_s: 3,
      hard_confirm_s: 10,
      open_period_s: 5,
      vantages: 3,
      quorum: 2,
      mode: 'seed',
      escalation_policy_id: policy.id,
    },
    ofCustomer,
  )
  return monitor.id
}

/** The responder's configuration for a mail system that answers over SMTP; `routes` says where each return domain is delivered. */
export async function responderConfig(api: Api, routes: Record<string, string>): Promise<object> {
  const { root_key } = await api.get<{ root_key: string }>('/v1/me')
  return { root_keys: [root_key], return_domains: Object.keys(routes), submit: { routes } }
}
