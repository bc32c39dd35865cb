/** What the routes work with. */

import type { IncomingMessage, ServerResponse } from 'node:http'
import type { TypeBoxTypeProvider } from '@fastify/type-provider-typebox'
import type { FastifyBaseLogger, FastifyInstance, FastifyRequest, RawServerDefault } from 'fastify'
import { MailscoutError } from '../../common/errors.ts'
import type { DatabaseContext } from '../flow/context.ts'
import type { CoordinatorKeys } from '../keys.ts'
import type { Sql } from '../store/connection.ts'
import type { Whose } from '../store/paging.ts'
import type { Authenticator, Identity, Needs } from './auth.ts'
import type { LiveHub } from './live.ts'
import type { TokenBuckets } from './rate-limit.ts'

export type ApiContext = DatabaseContext & {
  version: string
  keys: Pick<CoordinatorKeys, 'rootX' | 'rootKid'>
  authenticator: Authenticator
  live: LiveHub
  /** How often one monitor may be tested out of turn: each time costs its mail system a mail from every vantage. */
  testNow: TokenBuckets
}

export type ApiServer = FastifyInstance<RawServerDefault, IncomingMessage, ServerResponse, FastifyBaseLogger, TypeBoxTypeProvider>

declare module 'fastify' {
  interface FastifyRequest {
    /** Set on every route under /v1 before anything else. */
    identity: Identity
  }
  interface FastifyContextConfig {
    /** What the caller's key must be allowed; every route under /v1 says it. */
    needs?: Needs
  }
}

/** Whose rows a list shows: a customer's key its own, an operator's those of the named customer or all. */
export function whoseList(request: FastifyRequest, customerId: string | undefined): Whose {
  const own = request.identity.customer_id
  if (own === null) return customerId ?? null
  refuseForeign(own, customerId)
  return own
}

/** For whom something is made: an operator's key must say, a customer's implies it. */
export function customerOf(request: FastifyRequest, customerId: string | undefined): string {
  const own = request.identity.customer_id
  if (own !== null) {
    refuseForeign(own, customerId)
    return own
  }
  if (customerId === undefined)
    throw new MailscoutError('REQUEST_INVALID', "customer_id is missing: an operator's key names the customer", {
      field: 'customer_id',
    })
  return customerId
}

function refuseForeign(own: string, named: string | undefined): void {
  if (named !== undefined && named !== own)
    throw new MailscoutError('FORBIDDEN', 'This key belongs to another customer: leave customer_id out', { field: 'customer_id' })
}

/** Reads with the caller's eyes: row-level security shows a customer's key nothing else. */
export function read<T>(context: ApiContext, whose: Whose, work: (sql: Sql) => Promise<T>): Promise<T> {
  return whose === null ? work(context.database.system) : context.database.asCustomer(whose, work)
}
