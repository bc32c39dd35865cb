/** Votes and witnesses: each row with its why. */
import { describe, expect, test } from 'vitest'
import { type FailureDomain, witnesses } from '../../coordinator/core/failure-domain.ts'
import { type Ballot, decide, type Quorum, tally, type Vote } from '../../coordinator/core/quorum.ts'

const place = (region: string, asn: number | null = null, return_domain = `${region}.example`): FailureDomain => ({
  region,
  asn,
  return_domain,
})

describe('witnesses', () => {
  test.each<[string, FailureDomain[], number]>([
    ['nobody', [], 0],
    ['distinct regions, no ASN known', [place('eu'), place('us'), place('ap')], 3],
    ['one region is one witness', [place('eu'), place('eu', null, 'other.example')], 1],
    ['one network is one witness', [place('eu', 64500), place('us', 64500)], 1],
    ['an unknown ASN is not shared with another unknown one', [place('eu', null), place('us', null)], 2],
    ['one return-mail domain is one witness', [place('eu', 1, 'mail.example'), place('us', 2, 'mail.example')], 1],
    [
      'sharing is transitive: eu and ap are joined by the network of us',
      [place('eu', 1), place('ap', 2, 'x'), place('us', 1, 'x')],
      1,
    ],
    ['two pairs', [place('eu', 1), place('us', 2), place('ap', 1), place('sa', 2)], 2],
  ])('%s', (_, domains, count) => {
    const groups = witnesses(domains)
    expect(new Set(groups).size).toBe(count)
    const reversed = witnesses(domains.toReversed()).toReversed()
    for (const [i, a] of groups.entries()) {
      for (const [j, b] of groups.entries()) expect(reversed[i] === reversed[j]).toBe(a === b)
    }
  })
})

const letters: Record<string, Vote> = { f: 'fail', p: 'pass', a: 'abstain', _: 'missing' }
/** `f p _`: one vote a region; `ff p`: two votes from one region. */
const ballots = (votes: string): Ballot[] =>
  votes
    .split(' ')
    .flatMap((region, index) =>
      Array.from(region, (letter) => ({ domain: place(`region-${index}`), vote: letters[letter] ?? 'missing' })),
    )

describe('the decision', () => {
  test.each<[votes: string, quorum: number, Quorum, why: string]>([
    ['f', 1, 'down', 'one vantage decides where the contract has one'],
    ['_', 1, 'open', 'and its vote is waited for'],
    ['f f _', 2, 'down', 'a quorum waits for nobody else'],
    ['f f f', 3, 'down', 'all of them'],
    ['f f p', 3, 'partial', 'a quorum of three is not met by two'],
    ['f _ _', 2, 'open', 'a missing vote is never a failing one'],
    ['f a a', 2, 'open', 'an abstention neither: too few healthy vantages'],
    ['f f p p', 2, 'partial', 'as many pass as fail'],
    ['f f p p _', 2, 'open', 'the last vote may still tip it'],
    ['f f f p p', 2, 'down', 'more fail than pass'],
    ['f p _', 2, 'open', 'partial needs all votes in'],
    ['f p a', 2, 'partial', 'an abstention is a vote that is in'],
    ['p p _', 2, 'open', 'up needs all votes in'],
    ['p p p', 2, 'up', 'nothing fails'],
    ['p a a', 2, 'up', 'nothing fails, and somebody says so'],
    ['_a _a f', 2, 'open', 'a region of which nobody says anything neither fails nor passes'],
    ['a a a', 2, 'open', 'nobody says anything'],
    ['ff p', 2, 'partial', 'two vantages of one region are one witness'],
    ['ff _', 2, 'open', 'and no quorum of two'],
    ['f_ fa', 2, 'down', 'a region fails where one vantage does and none passes, whoever else is there is missing or abstains'],
    ['fp f p', 2, 'partial', 'a region that contradicts itself lets mail through'],
    ['ff ff', 2, 'down', 'two regions agree'],
  ])('%s, quorum %i: %s, because %s', (votes, quorum, result) => {
    expect(decide(tally(ballots(votes)), quorum)).toBe(result)
  })
})
