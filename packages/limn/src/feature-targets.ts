// What of a prompt is explained: a token's logit, a difference of two or of as many on either side, or a feature; by words of a command line.
import { LimnError } from '@limn/gpu';
import { topTokens } from '@limn/hooks';
import { logitDifferenceOutput, logitOutput, type FrozenPrompt, type GraphOutput } from '@limn/transcoders';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** One `--target`, before there is a model. */
export type TargetRequest =
  | { readonly kind: 'logit'; readonly token: string }
  | { readonly kind: 'diff'; readonly up: readonly string[]; readonly down: readonly string[] }
  | { readonly kind: 'feature'; readonly layer: number; readonly feature: number; readonly position: number };

const FORMS = `logit:" Paris", diff:" Paris"," Rome", diff:" is"+" was"," are"+" were" or feature:LAYER:FEATURE:POSITION`;

/**
 * `--target`, which may be given several times. Quotes around a token are taken off.
 * @throws LimnError `usage/feature-target`
 */
export function targetOption(text: string, before: readonly TargetRequest[] = []): TargetRequest[] {
  const [, kind, rest = ''] = /^(logit|diff|feature):(.+)$/s.exec(text) ?? [];
  const target =
    kind === 'logit'
      ? logitOf(rest)
      : kind === 'diff'
        ? diffOf(rest)
        : kind === 'feature'
          ? featureOf(rest)
          : undefined;
  if (target) return [...before, target];
  throw new LimnError('usage/feature-target', `--target ${text}: expected ${FORMS}`, {
    details: { option: '--target', given: text },
    hint: `for example --target 'logit:" Paris"'`,
  });
}

const logitOf = (rest: string): TargetRequest => ({ kind: 'logit', token: unquoted(rest) });

const QUOTED = String.raw`"(?:[^"\\]|\\.)*"`;
const LIST = String.raw`${QUOTED}(?:\+${QUOTED})*`;
const DIFFERENCE = new RegExp(`^(${LIST}|[^,]+),(${LIST}|.+)$`, 's');

/** As many tokens on either side: the sum of more would move with all logits. */
function diffOf(rest: string): TargetRequest | undefined {
  const [, up, down] = DIFFERENCE.exec(rest) ?? [];
  if (up === undefined || down === undefined) return undefined;
  const [rise, fall] = [listed(up), listed(down)];
  if (rise.length !== fall.length)
    throw new LimnError('usage/feature-target', `--target diff:${rest}: ${rise.length} tokens against ${fall.length}`, {
      details: { option: '--target', up: rise.length, down: fall.length },
      hint: 'give as many on either side',
    });
  return { kind: 'diff', up: rise, down: fall };
}

/** Tokens joined by +: in quotes, or ids; any other text is one token. */
function listed(text: string): string[] {
  if (/^\d+(?:\+\d+)+$/.test(text)) return text.split('+');
  if (!new RegExp(`^${LIST}$`, 's').test(text)) return [unquoted(text)];
  return (text.match(new RegExp(QUOTED, 'gs')) ?? []).map(unquoted);
}

function featureOf(rest: string): TargetRequest | undefined {
  const [, layer, feature, position] = /^(\d{1,9}):(\d{1,9}):(\d{1,9})$/.exec(rest) ?? [];
  return position === undefined
    ? undefined
    : { kind: 'feature', layer: Number(layer), feature: Number(feature), position: Number(position) };
}

function unquoted(text: string): string {
  if (!/^".*"$/s.test(text)) return text;
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

/**
 * The id of a token as a command line has it: its text, or where `ids` says so its id.
 * @throws LimnError `usage/feature-token` for a text that is not one token and an id that is none; `usage/no-tokenizer`, `tokenizer/unknown-text`
 */
export function tokenOf(
  where: string,
  text: string,
  { hooked, tokenizer, name }: Pick<OpenModel, 'hooked' | 'tokenizer' | 'name'>,
  { ids = false }: { readonly ids?: boolean } = {},
): number {
  const refuse = (what: string, hint: string): LimnError =>
    new LimnError('usage/feature-token', `${where}: ${JSON.stringify(text)} ${what}`, {
      details: { given: text },
      hint,
    });
  if ((ids || tokenizer === undefined) && /^\d+$/.test(text)) {
    const id = Number(text);
    if (id < hooked.info.vocabulary) return id;
    throw refuse('is no token id', `ids are 0 to ${hooked.info.vocabulary - 1}`);
  }
  if (tokenizer === undefined)
    throw new LimnError('usage/no-tokenizer', `${where}: ${name} has no tokenizer`, {
      hint: 'give the id of the token',
    });
  const found = encodeAt(where, tokenizer, text, { prependBos: false });
  if (found.length === 1) return found[0] as number;
  throw refuse(`is ${found.length} tokens`, 'give one token, most often with the space in front of it: " Paris"');
}

/**
 * The outputs of a graph; undefined where no target was given. Logits are at the last position.
 * @throws LimnError as `tokenOf`
 */
export function outputsOf(
  requests: readonly TargetRequest[] | undefined,
  prompt: Pick<FrozenPrompt, 'length' | 'host' | 'model'>,
  model: OpenModel,
  { ids }: { readonly ids: boolean },
): GraphOutput[] | undefined {
  if (requests === undefined || requests.length === 0) return undefined;
  const last = prompt.length - 1;
  const token = (text: string): number => tokenOf('--target', text, model, { ids });
  return requests.map((request): GraphOutput => {
    if (request.kind === 'feature') {
      const { layer, feature, position } = request;
      return { target: request, label: `tc${layer}[${feature}]@${position}` };
    }
    if (request.kind === 'logit') {
      const id = token(request.token);
      const all = topTokens(prompt.host.logits, prompt.model.info.vocabulary);
      return { ...logitOutput(id, last), probability: all.find((each) => each.id === id)?.probability ?? 0 };
    }
    const [up, down] = [request.up.map(token), request.down.map(token)];
    const names = (ids: readonly number[]): string => ids.map(model.show).join(' + ');
    return {
      ...logitDifferenceOutput(up, down, last),
      label: up.length === 1 ? `${names(up)} − ${names(down)}` : `(${names(up)}) − (${names(down)})`,
    };
  });
}

/** What an output is called for people. */
export const outputText = ({ token, label }: Pick<GraphOutput, 'token' | 'label'>, show: OpenModel['show']): string =>
  token === undefined ? label : show(token);
