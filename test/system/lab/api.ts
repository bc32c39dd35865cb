/** Mailscout's API as the cases use it: typed as far as they look, over a relay that no fault of the network breaks. */
import type { HttpAnswer, HttpCall, HttpClient } from './http.ts'

export type Decision = 'pending' | 'up' | 'slow' | 'suspected' | 'partial' | 'down' | 'unconfirmed'
export type Verdict = { probe_id: string; region: string; verdict: string; reason: string; rtt_ms: number | null }

export type Monitor = {
  id: string
  name: string
  period_s: number
  decision: Decision
  decision_reason: string
  incident_id: string | null
  verdicts: Verdict[]
  notices: { kind: string; text: string }[]
  routes: { mx: string; family: string; standing: string; tested_at: string }[]
  detection_bound_s: number
}

export type Result = {
  id: string
  probe_id: string
  region: string
  cause: 'slot' | 'retest' | 'open' | 'job'
  slot_at: string | null
  started_at: string
  sent_at: string | null
  returned_at: string | null
  stamp_at: string | null
  late_returned_at: string | null
  outcome: string
  rtt_ms: number | null
  stages: { name: string; ms: number }[]
  detail: { attempts?: number; server_words?: string; mx?: string; via?: string }
}

export type Incident = {
  id: string
  code: string
  kind: 'down' | 'unconfirmed'
  opened_at: string
  resolved_at: string | null
  cause: { outcome: string; text: string }
  vantages: { region: string; verdict: string; outcome: string | null }[]
}

export type Page = { kind: string; step: number; address: string; state: string; text: string }
export type Probe = {
  id: string
  region: string
  state: 'pending' | 'connected' | 'lost' | 'retired'
  return_address: string | null
}
export type Problem = { status: number; code: string; detail: string; errors?: { field: string; message: string }[] }

export class Api {
  readonly #client: HttpClient
  readonly #key: string

  constructor(client: HttpClient, key: string) {
    this.#client = client
    this.#key = key
  }

  /** Any status is returned, not thrown; headers given here win. */
  call(path: string, call: HttpCall = {}): Promise<HttpAnswer> {
    return this.#client.call(path, { ...call, headers: { authorization: `Bearer ${this.#key}`, ...call.headers } })
  }

  /** Throws with the server's own explanation. */
  async get<T>(path: string): Promise<T> {
    return await this.#must<T>('GET', path)
  }

  async post<T>(path: string, body: unknown): Promise<T> {
    return await this.#must<T>('POST', path, body)
  }

  async delete(path: string): Promise<void> {
    await this.#must('DELETE', path)
  }

  async list<T>(path: string): Promise<T[]> {
    return (await this.get<{ data: T[] }>(path)).data
  }

  async #must<T>(method: string, path: string, body?: unknown): Promise<T> {
    const answer = await this.call(path, { method, ...(body === undefined ? {} : { body }) })
    if (answer.status >= 300) throw new Error(`${method} ${path} was answered ${answer.status}: ${answer.text.slice(0, 500)}`)
    return answer.json as T
  }
}
