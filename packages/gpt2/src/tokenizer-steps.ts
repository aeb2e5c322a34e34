// The steps of a tokenizer.json around its model (normalizer, pre_tokenizer, post_processor, decoder), checked field by field and
// put into the forms in which the library does what Hugging Face's reader does.
import { SplitPreTokenizer } from '@huggingface/tokenizers';
import { gpt2PreTokenizer, splitStep } from './byte-level.js';
import { endsInTime, maxRegexCharacters } from './regex-cost.js';
import { boundSteps, plainSteps } from './tokenizer-growth.js';
import type { TokenizerField } from './tokenizer-field.js';

/** A step as the library takes it. */
export type Step = Readonly<Record<string, unknown>>;
type Reader = (step: TokenizerField, depth: number) => Step;

/** A sequence of sequences is never deeper than two in practice. */
const maxDepth = 8;

/** Reads one step by its type. `other`: types that Hugging Face reads and limn does not. */
function stepReader(readers: Readonly<Record<string, Reader>>, other: readonly string[]): Reader {
  const known = Object.keys(readers);
  return (step, depth) => {
    step.object();
    if (depth > maxDepth) throw step.wrong(`at most ${maxDepth} sequences in each other`);
    const type = step.member('type');
    if (typeof type.value === 'string' && other.includes(type.value))
      throw type.unsupported(`which limn does not read; it reads ${known.join(', ')}`);
    return (readers[type.oneOf(known)] as Reader)(step, depth);
  };
}

/** A step that holds a list of steps. */
const sequenceOf =
  (name: string, read: () => Reader): Reader =>
  (step, depth) => ({
    type: 'Sequence',
    [name]: step
      .member(name)
      .list()
      .map((item) => read()(item, depth + 1)),
  });

/** A step with no settings. */
const plain: Reader = (step) => ({ type: step.member('type').value });

/** A step with these settings. */
const withFields =
  (fields: Readonly<Record<string, (field: TokenizerField) => unknown>>): Reader =>
  (step) => ({
    type: step.member('type').value,
    ...Object.fromEntries(Object.entries(fields).map(([name, read]) => [name, read(step.member(name))])),
  });

const text = (field: TokenizerField): string => field.text();
const flag = (field: TokenizerField): boolean => field.flag();
/** The reference counts in 32 bits. */
const count = (field: TokenizerField): number => field.whole(2 ** 32 - 1);

/** `{ String }` or `{ Regex }`. */
function pattern(field: TokenizerField): { readonly String: string } | { readonly Regex: string } {
  const keys = Object.keys(field.object('{ "String": … } or { "Regex": … }'));
  if (keys.length !== 1 || (keys[0] !== 'String' && keys[0] !== 'Regex'))
    throw field.wrong('{ "String": … } or { "Regex": … }');
  if (keys[0] === 'String') return { String: field.member('String').text() };
  const regex = field.member('Regex');
  if (regex.text().length > maxRegexCharacters)
    throw regex.unsupported(`and expressions have at most ${maxRegexCharacters} characters`);
  let made: RegExp | null;
  try {
    made = new SplitPreTokenizer(splitStep(regex.text(), 'Isolated')).pattern;
  } catch (cause) {
    throw regex.wrong(`a regular expression; ${String((cause as Error).message)}`);
  }
  if (made === null || !endsInTime(regex.text(), made.source))
    throw regex.unsupported('which can read some texts in so many ways that it could take for ever');
  return { Regex: regex.text() };
}

/** The library's content is JavaScript's, in which `$&` is what was found; in the file it is two characters. */
const replace: Reader = (step) => {
  const content = step.member('content').text().replaceAll('$', '$$$$');
  return { type: 'Replace', pattern: pattern(step.member('pattern')), content };
};

const normalizers: Readonly<Record<string, Reader>> = {
  NFC: plain,
  NFD: plain,
  NFKC: plain,
  NFKD: plain,
  Lowercase: plain,
  StripAccents: plain,
  Strip: withFields({ strip_left: flag, strip_right: flag }),
  Prepend: withFields({ prepend: text }),
  Replace: replace,
  BertNormalizer: withFields({
    clean_text: flag,
    handle_chinese_chars: flag,
    strip_accents: (field) => (field.absent ? null : field.flag()),
    lowercase: flag,
  }),
  Sequence: sequenceOf('normalizers', () => readNormalizer),
};
const readNormalizer = stepReader(normalizers, ['Precompiled', 'Nmt', 'ByteLevel']);

/** Letters, marks, digits, connectors and joiners: what Unicode takes for a word. */
const WORD = '\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\u200c\\u200d';
const PUNCTUATION = '\\p{P}\\u0021-\\u002f\\u003a-\\u0040\\u005b-\\u0060\\u007b-\\u007e';
const spacesRemoved = splitStep('\\p{White_Space}+', 'Removed');

/** A space in front of a text that begins with none: the library's Metaspace with a space for its mark. */
const prefixSpace: Step = { type: 'Metaspace', replacement: ' ', prepend_scheme: 'always' };

function byteLevel(step: TokenizerField): Step {
  const read = withFields({ add_prefix_space: flag, trim_offsets: flag, use_regex: (field) => field.flag(true) })(
    step,
    0,
  );
  if (read['use_regex'] === false) return read;
  // The space in front belongs to the text as a whole, not to each of its words.
  return read['add_prefix_space'] === true
    ? { type: 'Sequence', pretokenizers: [prefixSpace, gpt2PreTokenizer] }
    : gpt2PreTokenizer;
}

function customSplit(step: TokenizerField): Step {
  const behavior = step.member('behavior');
  const chosen = behavior.oneOf(['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous']);
  const invert = step.member('invert').flag();
  if (chosen !== 'Removed' && (chosen !== 'Isolated' || invert))
    throw behavior.unsupported(
      `which limn does not read${invert ? ' with invert' : ''}; it reads Isolated and Removed`,
    );
  const cut = pattern(step.member('pattern'));
  // The library would keep the pieces that a text, unlike an expression, removes.
  const regex = 'Regex' in cut ? cut.Regex : cut.String.replaceAll(/[^\p{L}\p{N}\s]/gu, '\\$&');
  return splitStep(regex, chosen, invert);
}

function punctuation(step: TokenizerField): Step {
  const behavior = step.member('behavior');
  const chosen = behavior.oneOf(
    ['Removed', 'Isolated', 'MergedWithPrevious', 'MergedWithNext', 'Contiguous'],
    'Isolated',
  );
  if (chosen === 'Removed') return splitStep(`[${PUNCTUATION}]`, 'Removed');
  if (chosen === 'Isolated') return splitStep(`[${PUNCTUATION}]`, 'Isolated');
  if (chosen === 'Contiguous') return splitStep(`[${PUNCTUATION}]+`, 'Isolated');
  throw behavior.unsupported('which limn does not read; it reads Isolated, Removed and Contiguous');
}

const preTokenizers: Readonly<Record<string, Reader>> = {
  ByteLevel: byteLevel,
  Split: customSplit,
  Digits: (step) => splitStep(step.member('individual_digits').flag() ? '\\p{N}' : '\\p{N}+', 'Isolated'),
  Punctuation: punctuation,
  Whitespace: () => splitStep(`[${WORD}]+|[^${WORD}\\p{White_Space}]+`, 'Removed', true),
  WhitespaceSplit: () => spacesRemoved,
  BertPreTokenizer: () => ({
    type: 'Sequence',
    pretokenizers: [spacesRemoved, splitStep(`[${PUNCTUATION}]`, 'Isolated')],
  }),
  Sequence: sequenceOf('pretokenizers', () => readPreTokenizer),
};
const readPreTokenizer = stepReader(preTokenizers, [
  'Metaspace',
  'UnicodeScripts',
  'CharDelimiterSplit',
  'FixedLength',
]);

const decoders: Readonly<Record<string, Reader>> = {
  ByteLevel: withFields({ add_prefix_space: flag, trim_offsets: flag, use_regex: (field) => field.flag(true) }),
  WordPiece: withFields({ prefix: someText, cleanup: flag }),
  BPEDecoder: withFields({ suffix: text }),
  Fuse: plain,
  ByteFallback: plain,
  Strip: withFields({ content: oneCharacter, start: count, stop: count }),
  Replace: replace,
  Sequence: sequenceOf('decoders', () => readDecoder),
};
const readDecoder = stepReader(decoders, ['Metaspace', 'CTC']);

function someText(field: TokenizerField): string {
  if (field.text() === '') throw field.unsupported('and no token would begin a word');
  return field.text();
}

function oneCharacter(field: TokenizerField): string {
  if ([...field.text()].length !== 1) throw field.wrong('one character');
  return field.text();
}

/** `["token", id]` */
function tokenAndId(field: TokenizerField): void {
  const items = field.list();
  if (items.length !== 2) throw field.wrong('["token", id]');
  items[0]?.text();
  items[1]?.whole(2 ** 32 - 1);
}

/** One part of a template: a special token, or one of the two texts. */
function templatePiece(piece: TokenizerField): void {
  const allowed = '{ "SpecialToken": … } or { "Sequence": … }';
  const kinds = Object.keys(piece.object(allowed));
  if (kinds.length !== 1 || (kinds[0] !== 'SpecialToken' && kinds[0] !== 'Sequence')) throw piece.wrong(allowed);
  const held = piece.member(kinds[0]);
  if (kinds[0] === 'Sequence') held.member('id').oneOf(['A', 'B']);
  else held.member('id').text();
  held.member('type_id').whole(2 ** 32 - 1);
}

function template(step: TokenizerField): Step {
  const specials = step.member('special_tokens');
  for (const name of Object.keys(specials.object())) {
    const special = specials.member(name);
    special.member('id').text();
    const ids = special.member('ids').list().map(count);
    const tokens = special.member('tokens').list().map(text);
    if (ids.length !== tokens.length)
      throw special.member('ids').wrong(`as many as there are tokens, ${tokens.length}`);
  }
  for (const side of ['single', 'pair']) step.member(side).list().forEach(templatePiece);
  return {};
}

/** What limn asks for is never processed further: BOS is put in front by name. So these are checked and left out. */
const postProcessors: Readonly<Record<string, Reader>> = {
  ByteLevel: withFields({ add_prefix_space: flag, trim_offsets: flag, use_regex: (field) => field.flag(true) }),
  BertProcessing: withFields({ sep: tokenAndId, cls: tokenAndId }),
  RobertaProcessing: withFields({ sep: tokenAndId, cls: tokenAndId, trim_offsets: flag, add_prefix_space: flag }),
  TemplateProcessing: template,
  Sequence: sequenceOf('processors', () => readPostProcessor),
};
const readPostProcessor = stepReader(postProcessors, []);

/** Bytes of a part of the tokens are known only where nothing but ByteLevel decides of them; joining them (Fuse) changes none. */
function byBytes(field: TokenizerField, decoder: Step | null): Step | null {
  if (decoder === null) return null;
  const types = plainSteps(decoder).map(({ type }) => type);
  if (!types.includes('ByteLevel')) return decoder;
  if (types.filter((type) => type !== 'Fuse').length > 1)
    throw field.unsupported('and after other steps the bytes of a token would depend on those around it');
  return { type: 'ByteLevel' };
}

/**
 * The steps of a tokenizer.json; null where there is none.
 * @throws LimnError `tokenizer/damaged`; `tokenizer/unsupported` for what Hugging Face reads and limn does not.
 */
export function readSteps(root: TokenizerField): {
  readonly normalizer: Step | null;
  readonly pre_tokenizer: Step | null;
  readonly decoder: Step | null;
} {
  const step = (name: string, read: Reader): Step | null => {
    const field = root.member(name);
    return field.absent ? null : boundSteps(field, read(field, 1));
  };
  step('post_processor', readPostProcessor);
  return {
    normalizer: step('normalizer', readNormalizer),
    pre_tokenizer: step('pre_tokenizer', readPreTokenizer),
    decoder: byBytes(root.member('decoder'), step('decoder', readDecoder)),
  };
}
