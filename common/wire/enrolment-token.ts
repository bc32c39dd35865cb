/**
 * What an operator copies to a new probe: a single-use secret, and the thumbprint of the root key, by which the probe comes to
 * trust its coordinator (DESIGN 3.1). `mse1.<secret>.<thumbprint>`
 */
import { MailscoutError } from '../errors.ts'

export const writeEnrolmentToken = (secret: Uint8Array, rootKid: string): string =>
  `mse1.${Buffer.from(secret).toString('base64url')}.${rootKid}`

export function readEnrolmentToken(token: string): { rootKid: string } {
  const match = /^mse1\.[A-Za-z0-9_-]{43}\.([A-Za-z0-9_-]{43})$/.exec(token)
  if (match?.[1] === undefined) {
    throw new MailscoutError(
      'ENROLMENT_REFUSED',
      'An enrolment token looks like mse1.….…; copy the whole of it from the answer that created the probe',
    )
  }
  return { rootKid: match[1] }
}
