// Damages sound tokenizer files: values by others, keys lost, ids swapped, bytes flipped; some of it is harmless, so that both verdicts occur.
import { numberedDamage, type Damage } from '../hostile/numbered-damage.js';

/** Texts that an opened tokenizer is tried on. */
export const sampleTexts = [
  'ab ab c<|endoftext|>é',
  "  don't\u0085 12\u00a0x\n\t",
  'naïve 日本 👩‍🚀\u0000\ufeff',
  '',
  'the bird, the (bird)',
];

/** The characters that stand for bytes, in the order of their code points. */
const byteCharacters = Array.from({ length: 0x144 }, (_, code) => String.fromCharCode(code)).filter((character) =>
  /[!-~¡-¬®-ÿĀ-Ń]/u.test(character),
);
const special = { single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true };
const merges = ['a b', 'Ġ ab', 't h', 'th e', 'Ã ©'];
const vocab = Object.fromEntries(
  [...byteCharacters, ...merges.map((merge) => merge.replace(' ', '')), '<|endoftext|>'].map((token, id) => [
    token,
    id,
  ]),
);
const lastId = Object.keys(vocab).length - 1;
const bpe = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [{ id: lastId, content: '<|endoftext|>', ...special }],
  normalizer: null,
  pre_tokenizer: byteLevel,
  post_processor: byteLevel,
  decoder: byteLevel,
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: '',
    end_of_word_suffix: '',
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: false,
    vocab,
    merges,
  },
};
const words = Object.fromEntries(
  ['<eot>', '<unk>', 'the', 'bird', 'ab', 'c', '##ird', 'b', '(', ')', ','].map((word, id) => [word, id]),
);
const template = {
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: '<eot>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 1 } }],
  special_tokens: { '<eot>': { id: '<eot>', ids: [0], tokens: ['<eot>'] } },
};

/** Sound definitions to start from. Each opens, here and in the reference. */
export const definitions: readonly object[] = [
  bpe,
  {
    ...bpe,
    added_tokens: [...bpe.added_tokens, { id: lastId + 1, content: '[PAD]', ...special, lstrip: true, rstrip: true }],
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [
        { type: 'Digits', individual_digits: true },
        { type: 'Split', pattern: { Regex: "'s|\\p{L}+| ?\\d{1,3}|\\s+" }, behavior: 'Isolated', invert: false },
        { ...byteLevel, use_regex: false },
      ],
    },
    post_processor: template,
    model: { ...bpe.model, merges: merges.map((merge) => merge.split(' ')) },
  },
  {
    version: '1.0',
    added_tokens: [{ id: 0, content: '<eot>', ...special }],
    normalizer: { type: 'Sequence', normalizers: [{ type: 'NFC' }, { type: 'Lowercase' }] },
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab: words, unk_token: '<unk>' },
  },
  {
    added_tokens: [],
    normalizer: {
      type: 'BertNormalizer',
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: { type: 'BertProcessing', sep: ['<eot>', 0], cls: ['<unk>', 1] },
    decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
    model: {
      type: 'WordPiece',
      vocab: words,
      unk_token: '<unk>',
      continuing_subword_prefix: '##',
      max_input_chars_per_word: 100,
    },
  },
];

type Holder = Record<string, unknown> | unknown[];

/** Every place of a definition that holds a value, apart from most tokens and merges, of which there are too many. */
function places(root: Holder): [Holder, string][] {
  const found: [Holder, string][] = [];
  const visit = (holder: Holder): void => {
    const keys = Object.keys(holder);
    const some = keys.length > 40 ? [...keys.slice(0, 3), ...keys.slice(-3)] : keys;
    for (const key of some) {
      found.push([holder, key]);
      const value = (holder as Record<string, unknown>)[key];
      if (typeof value === 'object' && value !== null) visit(value as Holder);
    }
  };
  visit(root);
  return found;
}

// prettier-ignore
const values: readonly unknown[] = [
  null, true, false, 0, 1, 5, -5, 1.5, 1e30, 2 ** 31, 2 ** 32, 2 ** 53, '', 'x', 'a', '<unk>', 'a b', 'a  b', 'a z', '__proto__', '1.0', '\u0000', 'é', '日',
  [], {}, [null], [5], ['a', 'b'], [['a', 'b']], ['a b', 'a b'], ['#version: 0.2', 'a b'], [[]], { type: 'Nope' }, { type: 'ByteLevel' },
  { String: 'b' }, { Regex: '(' }, { Regex: '(a+)+$' }, { Regex: '\\p{L}+|.' }, { Regex: 'b' }, 'Removed', 'Isolated', 'Contiguous',
];
// prettier-ignore
const steps: readonly unknown[] = [
  null, { type: 'NFC' }, { type: 'NFKD' }, { type: 'Lowercase' }, { type: 'StripAccents' }, { type: 'Strip', strip_left: true, strip_right: false },
  { type: 'Prepend', prepend: 'a' }, { type: 'Replace', pattern: { String: 'b' }, content: 'c' }, { type: 'Replace', pattern: { Regex: '[a-c]+' }, content: 'd' },
  byteLevel, { ...byteLevel, add_prefix_space: true }, { ...byteLevel, use_regex: false }, { type: 'Whitespace' }, { type: 'WhitespaceSplit' },
  { type: 'Digits', individual_digits: false }, { type: 'Punctuation' }, { type: 'Punctuation', behavior: 'Contiguous' }, { type: 'Punctuation', behavior: 'Removed' },
  { type: 'BertPreTokenizer' }, { type: 'Split', pattern: { String: 'b' }, behavior: 'Removed', invert: false },
  { type: 'Split', pattern: { Regex: '\\w+' }, behavior: 'Removed', invert: true }, { type: 'Split', pattern: { String: 'a' }, behavior: 'Isolated', invert: false },
  { type: 'Split', pattern: { String: 'a' }, behavior: 'MergedWithNext', invert: false }, { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always' },
  { type: 'Fuse' }, { type: 'ByteFallback' }, { type: 'BPEDecoder', suffix: 'b' }, { type: 'Strip', content: 'a', start: 1, stop: 0 }, template,
  { type: 'Sequence', pretokenizers: [] }, { type: 'Sequence', decoders: [{ type: 'Fuse' }] }, { type: 'Sequence', processors: [template] },
];
const tokens = [
  { id: 0, content: 'a', ...special },
  { id: lastId + 1, content: 'bird', ...special },
  { id: lastId + 1, content: 'B I', ...special, normalized: true },
  { id: 11, content: 'new', ...special },
  { id: 11, content: ' ', ...special, single_word: true },
  { id: 9, content: '', ...special },
  { id: lastId, content: 'q', ...special },
];

/** The bytes that these acts make of a definition; each kind, place and value is taken modulo what there is. */
export function damage(base: number, acts: readonly Damage[]): Uint8Array<ArrayBuffer> {
  // By way of JSON: a structured clone would keep the steps that definitions share in one piece.
  const root = JSON.parse(JSON.stringify(definitions[base % definitions.length])) as Record<string, unknown>;
  const edits: ((bytes: number[]) => void)[] = [];
  for (const { kind, a, b } of acts) {
    const all = places(root);
    const at = (i: number): [Holder, string] => all[i % all.length] as [Holder, string];
    const set = ([holder, key]: [Holder, string], value: unknown): void => {
      if (typeof holder !== 'object') return;
      Object.defineProperty(holder, key, { value, enumerable: true, writable: true, configurable: true });
    };
    const get = ([holder, key]: [Holder, string]): unknown => (holder as Record<string, unknown>)[key];
    const step = ['normalizer', 'pre_tokenizer', 'decoder', 'post_processor'][a % 4] as string;
    [
      () => set(at(a), structuredClone(values[b % values.length])),
      () => set(at(a), structuredClone(values[b % values.length])),
      // A value by one of another place, two values swapped, a key lost.
      () => set(at(a), structuredClone(get(at(b)))),
      () => {
        const [one, other] = [get(at(a)), get(at(b))];
        if (!holds(one, at(b)[0]) && !holds(other, at(a)[0])) {
          set(at(a), other);
          set(at(b), one);
        }
      },
      () => Reflect.deleteProperty(...at(a)),
      () => set(at(a), nested(1 + (b % 3) * 40)),
      // Another key; `__proto__` is an ordinary one.
      () =>
        set(
          [at(a)[0], ['__proto__', 'zork', 'constructor', '', 'type'][b % 5] as string],
          structuredClone(values[b % values.length]),
        ),
      () => set([root, step], structuredClone(steps[b % steps.length])),
      () => set([root, step], structuredClone(steps[b % steps.length])),
      () => set([root, 'added_tokens'], [...list(root['added_tokens']), structuredClone(tokens[b % tokens.length])]),
      () => set([(root['model'] ?? {}) as Holder, 'merges'], [...merges, structuredClone(values[b % values.length])]),
      // Bytes: cut, flipped, put in.
      () => edits.push((bytes) => bytes.splice(a % bytes.length)),
      () => edits.push((bytes) => void (bytes[a % bytes.length]! ^= 1 << (b % 8))),
      () =>
        edits.push(
          (bytes) =>
            void bytes.splice(
              a % bytes.length,
              0,
              (
                [[0], [0xff, 0xfe], [0xef, 0xbb, 0xbf], [0x22], [0x5c, 0x75, 0x64, 0x38, 0x30, 0x30]][b % 5] as number[]
              )[0]!,
            ),
        ),
      // White space: harmless.
      () => edits.push((bytes) => void bytes.unshift(0x20)),
    ][kind % 15]!();
  }
  const bytes = [...new TextEncoder().encode(JSON.stringify(root))];
  for (const edit of edits) if (bytes.length > 0) edit(bytes);
  return Uint8Array.from(bytes);
}

const list = (value: unknown): unknown[] => (Array.isArray(value) ? value : []);
const nested = (depth: number): unknown => Array.from({ length: depth }).reduce<unknown>((inner) => [inner], 0);

/** Whether `inner` is `value` or lies in it. */
function holds(value: unknown, inner: Holder): boolean {
  if (value === inner) return true;
  return typeof value === 'object' && value !== null && Object.values(value).some((item) => holds(item, inner));
}

/** File `index` of the recorded series: always the same bytes. */
export function numberedTokenizer(index: number): Uint8Array<ArrayBuffer> {
  const { base, acts } = numberedDamage(index);
  return damage(base, acts);
}
