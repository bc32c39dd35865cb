/** The GSM 7-bit alphabet (3GPP TS 23.038): what fits into one SMS of 160 septets. */

const basic = new Set(
  '@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !"#¤%&\'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà',
)
const extended = new Set('^{}\\[~]|€')

export const septetsMax = 160

/** Septets that the text needs, or null where it has a character outside the alphabet. */
export function septets(text: string): number | null {
  let count = 0
  for (const character of text) {
    if (basic.has(character)) count += 1
    else if (extended.has(character)) count += 2
    else return null
  }
  return count
}

/** The text with every character in the alphabet: accents dropped where need be, `?` for what has no likeness. Line breaks become spaces. */
export function toGsm7(text: string): string {
  return Array.from(text.replaceAll(/\s+/g, ' ').trim(), (character) => {
    if (basic.has(character) || extended.has(character)) return character
    const plain = character.normalize('NFKD').replaceAll(/\p{M}/gu, '')
    return septets(plain) === null || plain === '' ? '?' : plain
  }).join('')
}

/** Cuts the text to at most `limit` septets, showing with `..` that it was cut. */
export function cutToSeptets(text: string, limit: number): string {
  if ((septets(text) ?? 0) <= limit) return text
  if (limit < 2) return ''
  let cut = ''
  for (const character of text) {
    if ((septets(cut + character) ?? 0) > limit - 2) break
    cut += character
  }
  return `${cut.trimEnd()}..`
}
