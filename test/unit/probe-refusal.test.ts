import { describe, expect, it } from 'vitest'
import { isAboutUs } from '../../probe/refusal.ts'

describe('a refusal', () => {
  it.each<[status: string | undefined, words: string]>([
    ['5.7.1', 'Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org'],
    ['5.7.1', '[192.0.2.1] is listed in our DNSBL'],
    [undefined, 'Your IP is blacklisted'],
    ['5.7.1', 'Mail from IP 192.0.2.1 was rejected due to listing in Spamhaus SBL'],
    ['5.7.1', 'Message refused: poor reputation of the sending domain'],
    ['5.7.1', '<unknown[192.0.2.1]>: Client host rejected: Access denied'],
    ['5.7.1', '<rt@eu.probe.example>: Sender address rejected: Access denied'],
    ['5.7.606', 'Access denied, banned sending IP [192.0.2.1]'],
    ['5.7.26', 'This mail has been blocked because the sender is unauthenticated'],
    ['4.7.25', 'Client host rejected: cannot find your reverse hostname, [192.0.2.1]'],
    ['4.7.0', 'Our system has detected that this message is suspicious due to the very low reputation of the sending IP address'],
    [undefined, 'Connections from your host are not allowed: the sending server has been blocked'],
  ])('is about us: %s %s', (status, words) => {
    expect(isAboutUs(status, words)).toBe(true)
  })

  it.each<[status: string | undefined, words: string]>([
    ['5.7.1', '<scout@customer.example>: Relay access denied'],
    ['5.7.64', 'TenantAttribution; Relay Access Denied'],
    ['5.7.1', 'Unable to relay'],
    ['5.1.1', '<scout@customer.example>: Recipient address rejected: User unknown in virtual mailbox table'],
    ['5.2.1', 'The mailbox is blocked'],
    ['5.2.1', 'The email account that you tried to reach is disabled'],
    ['5.7.1', 'Delivery not authorized, message refused'],
    ['4.7.1', '<scout@customer.example>: Recipient address rejected: Greylisted'],
    ['4.2.0', 'Greylisting in action, please come back later'],
    ['5.3.4', 'Message size exceeds fixed limit'],
    [undefined, 'No such user here'],
    ['4.3.0', 'Server configuration problem'],
  ])('is about the mail system: %s %s', (status, words) => {
    expect(isAboutUs(status, words)).toBe(false)
  })
})
