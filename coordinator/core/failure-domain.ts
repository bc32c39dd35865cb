/**
 * What two vantages may share. Vantages that share a region, a network (ASN) or a return-mail domain fail together for reasons that are
 * not the customer's: they are one witness (DESIGN 2, failure domain). There is no relay to share: a probe hands its mail to the
 * customer's server itself.
 */

export type FailureDomain = {
  region: string
  asn: number | null
  return_domain: string
}

export const shareFate = (a: FailureDomain, b: FailureDomain): boolean =>
  a.region === b.region || (a.asn !== null && a.asn === b.asn) || a.return_domain === b.return_domain

/**
 * Groups vantages into witnesses: whoever shares something with a member belongs to the group, so that sharing is transitive.
 * Returns, for each vantage in order, the number of its group.
 */
export function witnesses(domains: readonly FailureDomain[]): number[] {
  const group = domains.map((_, index) => index)
  const rootOf = (index: number): number => {
    const parent = group[index] ?? index
    return parent === index ? index : rootOf(parent)
  }
  domains.forEach((a, i) => {
    domains.slice(0, i).forEach((b, j) => {
      if (shareFate(a, b)) group[rootOf(i)] = rootOf(j)
    })
  })
  return domains.map((_, index) => rootOf(index))
}
