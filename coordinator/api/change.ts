/**
 * The one way in which a request changes anything: one transaction, in which the change, its line in the audit log and the answer
 * to its Idempotency-Key commit together, or none of them.
 */
import { createHash } from 'node:crypto'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { MailscoutError } from '../../common/errors.ts'
import { uuidv7 } from '../../common/runtime.ts'
import { insertAudit } from '../store/audit-log.ts'
import type { Sql } from '../store/connection.ts'
import { claimIdempotencyKey, type IdempotencyKey, keepAnswer } from '../store/idempotency.ts'
import type { Whose } from '../store/paging.ts'
import { withRetry } from '../store/retry.ts'
import { actorOf } from './auth.ts'
import type { ApiContext } from './context.ts'
import { fieldFault } from './problem.ts'

export type Changed<T> = {
  body: T
  /** As the audit log names it: `monitor 0192…`. */
  object: string
  customer_id: string | null
  /** For the audit log, without secrets. */
  detail?: Record<string, unknown>
  /**
   * What a repeated request is answered, where `body` holds a secret: secrets are shown once and kept nowhere, so a repetition
   * gets everything but them.
   */
  repeatable?: T
}

export async function change<T>(
  context: ApiContext,
  { request, reply, action, whose }: { request: FastifyRequest; reply: FastifyReply; action: string; whose: Whose },
  work: (sql: Sql) => Promise<Changed<T>>,
): Promise<T> {
  const { database, runtime } = context
  const claim = idempotencyKeyOf(request)
  const transaction = async (sql: Sql): Promise<T> => {
    if (claim !== undefined) {
      const known = await claimIdempotencyKey(sql, claim)
      if (known.kind === 'other_request') {
        throw new MailscoutError(
          'IDEMPOTENCY_CONFLICT',
          'This Idempotency-Key was used for another request within 24 h: make a new key for a new request',
        )
      }
      if (known.kind === 'repeated') {
        reply.header('idempotency-replayed', 'true')
        return known.response as T
      }
    }
    const changed = await work(sql)
    await insertAudit(sql, {
      id: uuidv7(runtime),
      customer_id: changed.customer_id,
      actor: actorOf(request.identity),
      action,
      object: changed.object,
      detail: changed.detail ?? {},
    })
    if (claim !== undefined) await keepAnswer(sql, claim, reply.statusCode, changed.repeatable ?? changed.body)
    return changed.body
  }
  return withRetry(runtime, async () => {
    if (whose !== null) return database.asCustomer(whose, transaction)
    return database.system.begin(transaction)
  })
}

/** Any printable ASCII; a UUID is what most clients send. */
const keyPattern = /^[\x21-\x7e]{1,255}$/

function idempotencyKeyOf(request: FastifyRequest): IdempotencyKey | undefined {
  const header = request.headers['idempotency-key']
  if (request.method !== 'POST' || header === undefined) return undefined
  if (typeof header !== 'string' || !keyPattern.test(header))
    throw fieldFault('Idempotency-Key', 'must be 1 to 255 printable characters without spaces')
  const text = `${request.method} ${request.url}\n${JSON.stringify(request.body ?? {})}`
  return {
    api_key_id: request.identity.key_id,
    key: header,
    request_hash: createHash('sha256').update(text).digest('base64url'),
  }
}
