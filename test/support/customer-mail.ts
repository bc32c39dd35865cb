/** What a customer's mail system sends back, built from the mail that it got or from a test id. */
import { findTokens, readMessage } from '../../common/mail/message.ts'
import { buildReturnedMail, returnMessageId } from '../../common/mail/returned-mail.ts'
import { envelopeId, mintToken, recipientHash, testMessageId, type VerifiedToken, verifyToken } from '../../common/mail/token.ts'
import type { Identity } from '../../probe/identity.ts'
import type { ReturnedMail } from '../../probe/inbox.ts'

/** The verified token in a test mail; throws where there is none. */
export function tokenIn(raw: Uint8Array, rootX: string): VerifiedToken {
  const [candidate] = findTokens(readMessage(raw))
  if (candidate === undefined) throw new Error('There is no token in this mail')
  return verifyToken(candidate, [rootX])
}

/** A token as the probe mints it, for a test that has no mail at hand. */
export function tokenFor(identity: Identity, testId: string, wallMs: number): VerifiedToken {
  const iat = Math.floor(wallMs / 1000)
  const text = mintToken({
    certificate: identity.certificate(),
    probeKey: identity.keyPair.privateKey,
    claims: {
      tid: testId,
      mon: 'any',
      prb: identity.probeId,
      rcpt: recipientHash('scout@customer.example'),
      ret: identity.returnAddress,
      mid: testMessageId(testId, identity.returnAddress),
      att: 1,
      iat,
      exp: iat + 86_400,
    },
  })
  return verifyToken(text, [identity.rootX])
}

/** The answer of a responder. */
export const stampedAnswer = (verified: VerifiedToken, stampMs: number): string =>
  buildReturnedMail({
    verified,
    originalSubject: 'Mailscout test',
    receivedLines: [],
    stampMs,
    clockSuspect: false,
    responderVersion: '0.1.0',
    from: 'scout@customer.example',
    messageId: returnMessageId(verified.token.tid, 'scout@customer.example'),
    dateMs: stampMs,
  })

/** A failure notice of the customer's mail server (RFC 3464). */
export const bounceOf = (testId: string, words = 'smtp; 550 5.1.1 User unknown'): string =>
  [
    'From: MAILER-DAEMON@customer.example',
    'To: rt@eu.probe.example',
    'Subject: Undelivered Mail Returned to Sender',
    'MIME-Version: 1.0',
    'Content-Type: multipart/report; report-type=delivery-status; boundary="b"',
    '',
    '--b',
    '',
    'I could not deliver your mail.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; mx.customer.example',
    `Original-Envelope-Id: ${envelopeId(testId)}`,
    '',
    'Final-Recipient: rfc822; scout@customer.example',
    'Action: failed',
    'Status: 5.1.1',
    `Diagnostic-Code: ${words}`,
    '',
    '--b--',
    '',
  ].join('\r\n')

/** As the inbox hands a mail over. */
export const inInbox = (raw: string, at: { wallMs: number; monotonicMs: number }): ReturnedMail => ({
  raw: Buffer.from(raw),
  receivedAtWallMs: at.wallMs,
  receivedAtMonotonicMs: at.monotonicMs,
  via: 'smtp',
})
