// Numbered strings that tokenizers disagree on: numberedString(i) is the same on every machine.
import { referenceRandom, type ReferenceRandom } from '@limn/testing';

const words = (
  "the of and Mary gave Apollo don't we'll I'm they've it's 'tis O'Brien's CamelCase snake_case_name HTTPServer x86_64 " +
  'naïve Ångström façade São İstanbul Straße ﬁne Ꙁ antidisestablishmentarianism'
).split(' ');
const emoji = '😀 👍🏽 👩‍🚀 👨‍👩‍👧‍👦 🏳️‍🌈 🇺🇳 ☃ ☃️ 1️⃣ 🫠 ✈︎'.split(' ');
const scripts = [
  '你好，世界。',
  '吾輩は猫である',
  '안녕하세요',
  'مرحبا بالعالم',
  'שָׁלוֹם',
  'Привет, мир',
  'नमस्ते',
  'ไทยแลนด์',
  'γειά σου',
  '𝔘𝔫𝔦𝔠𝔬𝔡𝔢',
  '𐍈𒀀',
];
const spaces = [
  ' ',
  '  ',
  '   ',
  '\t',
  '\n',
  '\r\n',
  '\n\n\n',
  '\u00a0',
  '\u0085',
  '\u2003',
  '\u3000',
  '\ufeff',
  '\u200b',
  '\u2028',
  '\v',
  '\f',
  '\u180e',
  '\u001c',
];
const odd = [
  '\0',
  '\0\0',
  '\u0007',
  '\u007f',
  '\u00ad',
  '\u202e',
  '\u2066',
  '\ufffd',
  '\uffff',
  '\u{10ffff}',
  '\ud800',
  '\udfff',
  '\udc00\ud800',
  'e\u0301',
  'a\u0300\u0301\u0302\u0303',
];
const marks = [
  "'s",
  "'S",
  "'ll",
  "''",
  '…',
  '--',
  '———',
  '!?!?',
  '(((',
  '"”“',
  '$1,000.00',
  '½',
  '²',
  '٣',
  'Ⅷ',
  '₂',
  '%20',
  '</p>',
  '\\n',
  '<|endoftext|',
  '|endoftext|>',
];

function pick<T>(random: ReferenceRandom, from: readonly T[]): T {
  return from[random.next() % from.length] as T;
}

/** Ranges whose every code point was assigned (or private, or a surrogate) before Unicode 15: runtimes and the reference agree on what they are. */
const ranges: readonly (readonly [number, number])[] = [
  [0x00, 0x377],
  [0x400, 0x52f],
  [0x5d0, 0x5ea],
  [0x620, 0x669],
  [0x904, 0x939],
  [0xe01, 0xe3a],
  [0x1100, 0x11ff],
  [0x1e00, 0x1eff],
  [0x2000, 0x2064],
  [0x2190, 0x2426],
  [0x2500, 0x27bf],
  [0x3000, 0x303f],
  [0x30a0, 0x30ff],
  [0x4e00, 0x9fff],
  [0xac00, 0xd7a3],
  [0xd800, 0xdfff],
  [0xe000, 0xf8ff],
  [0xff01, 0xffbe],
  [0x10000, 0x1000b],
  [0x1d400, 0x1d454],
  [0x1f300, 0x1f64f],
  [0x20000, 0x2a6d6],
  [0x10fff0, 0x10ffff],
];

/** Up to 40 characters anywhere in Unicode, unpaired surrogates too. */
function anyCharacters(random: ReferenceRandom): string {
  return Array.from({ length: 1 + (random.next() % 40) }, () => {
    const [from, to] = pick(random, ranges);
    return String.fromCodePoint(from + (random.next() % (to - from + 1)));
  }).join('');
}

const pieces: readonly ((random: ReferenceRandom) => string)[] = [
  (random) => pick(random, words),
  (random) => ` ${pick(random, words)}`,
  (random) => pick(random, emoji),
  (random) => pick(random, scripts),
  (random) => pick(random, spaces),
  (random) => ' '.repeat(random.next() % 70),
  (random) => pick(random, spaces).repeat(random.next() % 9),
  (random) => pick(random, odd),
  (random) => pick(random, marks),
  (random) => String(random.next()).repeat(1 + (random.next() % 4)),
  (random) => pick(random, ['a', 'é', '0', '你', '-', '=', '\u0301', '\0']).repeat(random.next() % 120),
  anyCharacters,
];

/** A string of one to nine pieces; every sixteenth holds the end-of-text token, written out. */
export function numberedString(index: number): string {
  const random = referenceRandom(index);
  const parts = Array.from({ length: 1 + (random.next() % 9) }, () => pick(random, pieces)(random));
  if (index % 16 === 15) parts.splice(random.next() % parts.length, 0, '<|endoftext|>');
  return parts.join('');
}
