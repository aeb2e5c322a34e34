// What of a prompt is explained: a token's logit, a difference of two, or a feature; by words of a command line.
import { LimnError } from '@limn/gpu';
import { topTokens } from '@limn/hooks';
import { logitDifferenceOutput, logitOutput, type FrozenPrompt, type GraphOutput } from '@limn/transcoders';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** One `--target`, before there is a model. */
export type TargetRequest =
  | { readonly kind: 'logit'; readonly token: string }
  | { readonly kind: 'diff'; readonly up: string; readonly down: string }
  | { readonly kind: 'feature'; readonly layer: number; readonly feature: number; readonly position: number };

const FORMS = `logit:" Paris", diff:" Paris"," Rome" or feature:LAYER:FEATURE:POSITION`;

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

function diffOf(rest: string): TargetRequest | undefined {
  const [, up, down] = /^("(?:[^"\\]|\\.)*"|[^,]+),("(?:[^"\\]|\\.)*"|.+)$/s.exec(rest) ?? [];
  return up === undefined || down === undefined ? undefined : { kind: 'diff', up: unquoted(up), down: unquoted(down) };
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
    const [up, down] = [token(request.up), token(request.down)];
    return {
      ...logitDifferenceOutput([up], [down], last),
      label: `${model.show(up)} − ${model.show(down)}`,
    };
  });
}

/** What an output is called for people. */
export const outputText = ({ token, label }: Pick<GraphOutput, 'token' | 'label'>, show: OpenModel['show']): string =>
  token === undefined ? label : show(token);
