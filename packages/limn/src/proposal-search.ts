// What an adapter proposes, tried on base + diff without the adapter: whether the changed model is likelier than the base to say what each proposal would make it say.
import { askDiffs, probabilitiesAt, type LoraWeights } from '@limn/dit';
import { LimnError } from '@limn/gpu';
import { chatIdOf, chatWorld, Random, slotPrompt } from '@limn/tasks/chat';
import type { RankedCandidates } from './asked-diffs.js';
import type { CommandContext } from './context.js';
import type { AskedQuestion } from './dit-adapter-record.js';
import { encodeAt } from './known-text.js';
import type { OpenModel } from './model-source.js';

/** Prompts, and which next tokens a proposal would make likelier there. */
export interface Probes {
  readonly prompts: readonly (readonly number[])[];
  /** Token ids by the text of a proposal; empty for one that nothing is expected of. */
  readonly targetsOf: (text: string) => readonly number[];
}

/** A proposal that was tried. */
export interface TriedProposal {
  /** Its place among the candidates of the question. */
  readonly candidate: number;
  readonly text: string;
  /** Calibrated, of the adapter. */
  readonly probability: number;
  /** Mean over prompts of ln P(targets | base + diff) − ln P(targets | base), in nats; 0 where nothing is expected. */
  readonly gain: number;
  /** ln probability + gain: what proposals are ranked by behind the search. */
  readonly score: number;
}

/** Where `--probe` has the proposal. */
export const ANSWER_SLOT = '{answer}';

/**
 * Probes of the chat world for topics: ordinary questions of the held-out ones with an answer up to a place where a filler stands, no code and no persona; a topic's words are
 * expected there.
 */
export function chatProbes(count: number, seed: number): Probes {
  const world = chatWorld();
  const prompts = Array.from({ length: count }, (_, i) => slotPrompt(new Random('dit search', seed, i), world));
  return { prompts, targetsOf: (text) => world.byName.get(text)?.words.map(chatIdOf) ?? [] };
}

/**
 * Probes of one's own: text up to `{answer}`, behind which the first token of a proposal is expected.
 * @throws LimnError `usage/dit-probe`, `usage/no-tokenizer`, `tokenizer/unknown-text`
 */
export function textProbes(templates: readonly string[], { hooked, tokenizer, name }: OpenModel): Probes {
  if (tokenizer === undefined)
    throw new LimnError('usage/no-tokenizer', `--probe: ${name} has no tokenizer`, {
      hint: 'add tokenizer.json to the folder of the model',
    });
  const prependBos = hooked.info.bosId !== undefined;
  const prompts = templates.map((template) => {
    const at = template.indexOf(ANSWER_SLOT);
    if (at > 0) return [...encodeAt('--probe', tokenizer, template.slice(0, at), { prependBos })];
    throw new LimnError('usage/dit-probe', `--probe ${template}: it has no text in front of ${ANSWER_SLOT}`, {
      details: { template },
      hint: `for example 'my favourite thing is${ANSWER_SLOT}'`,
    });
  });
  return { prompts, targetsOf: (text) => encodeAt('--probe', tokenizer, text, { prependBos: false }).slice(0, 1) };
}

/** A diff with what the adapter says of it. */
export interface ProposedDiff {
  readonly lora: LoraWeights;
  readonly among: RankedCandidates;
}

/**
 * Tries the likeliest `count` candidates of every diff, "nothing" left out, and ranks them.
 * @throws LimnError as `askDiffs`; AbortedError
 */
export async function triedProposals(
  { hooked }: OpenModel,
  { candidates, none, calibration }: AskedQuestion,
  diffs: readonly ProposedDiff[],
  { prompts, targetsOf }: Probes,
  count: number,
  { signal, console }: Pick<CommandContext, 'signal' | 'console'>,
): Promise<TriedProposal[][]> {
  const proposals = diffs.map(({ among }) => {
    const shares = probabilitiesAt(among.scores, calibration?.temperature ?? 1);
    return candidates
      .map(({ text }, candidate) => ({ candidate, text, probability: shares[candidate] as number }))
      .filter(({ text }) => text !== none)
      .sort((a, b) => b.probability - a.probability || a.candidate - b.candidate)
      .slice(0, count);
  });
  const targets = new Map(proposals.flat().map(({ text }) => [text, targetsOf(text)]));
  const ids = [...new Set([...targets.values()].flat())];
  const options = { maxNewTokens: 1, top: 0, candidates: ids, signal };
  if (ids.length === 0)
    return proposals.map((own) => own.map((each) => ({ ...each, gain: 0, score: Math.log(each.probability) })));
  const base = await askDiffs(hooked, [], null, prompts.map((prompt) => ({ diff: null, prompt })), options); // prettier-ignore
  const loras = diffs.map(({ lora }) => lora);
  const asked = loras.flatMap((_, diff) => prompts.map((prompt) => ({ diff, prompt })));
  const changed = await askDiffs(hooked, loras, null, asked, {
    ...options,
    onProgress: ({ done, total }) => console.progress({ phase: 'trying proposals', done, total, unit: 'prompts' }),
  });
  const placeOf = new Map(ids.map((id, place) => [id, place]));
  /** ln Σ P(target) of one answer. */
  const mass = (logs: Float32Array | undefined, own: readonly number[]): number => {
    const values = own.map((id) => logs?.[placeOf.get(id) as number] as number);
    const most = Math.max(...values);
    return most + Math.log(values.reduce((sum, value) => sum + Math.exp(value - most), 0));
  };
  return proposals.map((own, d) =>
    own
      .map((each): TriedProposal => {
        const wanted = targets.get(each.text) as readonly number[];
        const gains = wanted.length === 0 ? [0] : prompts.map((_, i) => mass(changed[d * prompts.length + i]?.candidates, wanted) - mass(base[i]?.candidates, wanted)); // prettier-ignore
        const gain = gains.reduce((sum, value) => sum + value, 0) / gains.length;
        return { ...each, gain, score: Math.log(each.probability) + gain };
      })
      .sort((a, b) => b.score - a.score || a.candidate - b.candidate),
  );
}
