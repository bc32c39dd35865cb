/**
 * Whether a refusal is about us: a policy against the probe's address, which says nothing of the customer's mail system (DESIGN 3.3,
 * `blocked`). A table, each row with a sample. It is kept narrow on purpose: what it does not know counts as an outage, because
 * "554 5.7.1 Relay access denied" is one, and has the same code as many a blocklist.
 */

/** Enhanced status codes (RFC 3463, RFC 7372 and the big providers' own) that name the sender's address or its authentication. */
const senderStatuses: readonly RegExp[] = [
  /^[45]\.7\.(2[0-9])$/, // 5.7.20 to 5.7.29: DKIM, SPF and reverse DNS of the sender (RFC 7372)
  /^5\.7\.509$/, // Exchange Online: DMARC of the sending domain
  /^5\.7\.5(03|11)$/, // Exchange Online: banned sender
  /^5\.7\.6\d\d$/, // Exchange Online: banned sending IP
]

const senderWords: readonly RegExp[] = [
  // 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
  /\b(spamhaus|spamcop|sorbs|barracuda(central)?|uceprotect|abuseat|senderscore|mailspike|proofpoint\.com\/ipcheck)\b/i,
  // 550 5.7.1 [192.0.2.1] is on our DNSBL · 550 Your IP is blacklisted
  /\b(dnsbl|rbl)\b|\b(black|block|deny)[ -]?list(ed|ing)?\b/i,
  // 550 5.7.1 Mail from 192.0.2.1 rejected due to its poor reputation
  /\breputation\b/i,
  // 554 5.7.1 <host[192.0.2.1]>: Client host rejected: Access denied
  /\bclient host rejected\b|\bsender address rejected: access denied\b/i,
  // 550 IP address 192.0.2.1 has been blocked · 550 5.7.1 Your host is banned
  /\b(your|sending|sender|source|client|connecting)\b.{0,40}\b(ip|host|server|address|network)\b.{0,60}\b(blocked|banned|refused|not allowed)\b/i,
  /\bip( address)? \[?[0-9a-f.:]+\]?.{0,40}\b(blocked|banned)\b/i,
  // 550-5.7.26 This mail has been blocked because the sender is unauthenticated
  /\bblocked because the sender\b/i,
]

/** Refusals that sound alike and speak of the recipient or of the system itself. */
const recipientWords =
  /\brelay(ing)?\b|\brecipient\b.{0,40}\b(unknown|not found|rejected)\b|\b(mailbox|account|user)\b.{0,40}\b(unknown|unavailable|disabled|blocked|full)\b/i

/** `status`: the enhanced status code, where there is one. `words`: all the server said. */
export function isAboutUs(status: string | undefined, words: string): boolean {
  if (status !== undefined && senderStatuses.some((pattern) => pattern.test(status))) return true
  return senderWords.some((pattern) => pattern.test(words)) && !recipientWords.test(words)
}
