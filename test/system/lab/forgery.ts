/** Mails as somebody would make them who wants more than he may: with the product's own words, and with whatever keys he has. */
import { buildReturnedMail } from '../../../common/mail/returned-mail.ts'
import { buildTestMail } from '../../../common/mail/test-mail.ts'
import { mintCertificate, mintToken, recipientHash, testMessageId, verifyToken } from '../../../common/mail/token.ts'
import { systemRuntime, uuidv7 } from '../../../common/runtime.ts'
import { createKeyPair, type KeyPair } from '../../../common/wire/keys.ts'

export type ForgedTestMail = {
  /** Signs the certificate of the forger's probe. */
  root: KeyPair
  /** Where the answer is to go. */
  from: string
  to: string
  /** For whom the token is made; default: `to`. */
  for?: string
  /** UTC ms; default: now. */
  atMs?: number
  tid?: string
}

export type Forged = { tid: string; token: string; raw: string }

/** A test mail of a probe that the forger has made up. */
export function forgeTestMail(forged: ForgedTestMail): Forged {
  const { root, from, to } = forged
  const nowS = Math.floor((forged.atMs ?? Date.now()) / 1000)
  const tid = forged.tid ?? uuidv7(systemRuntime)
  const probe = createKeyPair()
  const prb = uuidv7(systemRuntime)
  const certificate = mintCertificate({ sub: prb, x: probe.x, ret: from, nbf: nowS - 60, exp: nowS + 3600 }, root.privateKey)
  const mid = testMessageId(tid, from)
  const rcpt = recipientHash(forged.for ?? to)
  const claims = { tid, mon: uuidv7(systemRuntime), prb, rcpt, ret: from, mid, att: 1, iat: nowS, exp: nowS + 600 }
  const token = mintToken({ certificate, claims, probeKey: probe.privateKey })
  return { tid, token, raw: buildTestMail({ token, from, to, messageId: mid, dateMs: nowS * 1000, tid }) }
}

/** An answer to that test as a responder would give it, for a token that only the forger's root key vouches for. */
export function forgeReturnedMail({
  root,
  from,
  to,
  tid,
}: Required<Pick<ForgedTestMail, 'root' | 'from' | 'to' | 'tid'>>): string {
  const { token } = forgeTestMail({ root, from: to, to: from, tid })
  const atMs = Date.now()
  return buildReturnedMail({
    verified: verifyToken(token, [root.x]),
    originalSubject: 'Mailscout test',
    receivedLines: [],
    stampMs: atMs,
    clockSuspect: false,
    responderVersion: '0.1.0',
    from,
    messageId: `<${uuidv7(systemRuntime)}@customer.test>`,
    dateMs: atMs,
  })
}
