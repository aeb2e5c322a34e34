// What the numbers of features decide: of each case, and of both. Whether a claim is said to hold or not is computed, never written.
import { mean, percent, shown } from '../markdown-table.mjs';
import { CASE_NAMES } from './drawings.mjs';
import type { AgreementFinding, CaseFinding, FeatureStudy, Ranking, TrialFinding } from './study.mjs';
import { headName, share, spread } from './words.mjs';

/** Times what the best random draw does that a circuit is to do. */
const CLEARLY = 2;
/** Share kept from which a circuit is said to be enough. */
const ENOUGH = 0.8;
/** Difference of two shares from which one is said to be more. */
const MORE = 0.05;
/** Sizes at which rankings are compared. */
const COMPARED = [4, 16];

const line = (claim: string, holds: boolean, numbers: string): string =>
  `- **${claim}: ${holds ? 'holds' : 'does not hold'}.** ${numbers}`;

/** Mean over draws of what the first n of a ranking lose or keep. */
function at(trial: TrialFinding, ranking: Ranking, n: number, what: 'lost' | 'kept' = 'lost'): number {
  const values = trial.curves[ranking]?.find((each) => each.n === n)?.[what] ?? [];
  return mean(values);
}

/** One ranking against another at the sizes compared, in words and as whether the first does more at all of them. */
function against(
  trial: TrialFinding,
  a: Ranking,
  b: Ranking,
  what: 'lost' | 'kept',
): { readonly more: boolean; readonly text: string } {
  const pairs = COMPARED.map((n) => [n, at(trial, a, n, what), at(trial, b, n, what)] as const);
  return {
    more: pairs.every(([, x, y]) => x > y + MORE),
    text: pairs.map(([n, x, y]) => `${share(x)} against ${share(y)} (${n})`).join(', '),
  };
}

const answerRow = (
  { agreement }: CaseFinding,
  group: AgreementFinding['group'],
  mode: AgreementFinding['mode'],
): AgreementFinding['rows'][number] | undefined =>
  agreement.find((each) => each.group === group && each.mode === mode)?.rows.find(({ depth }) => depth === 'output');

const known = (value: number | null | undefined): string =>
  value === null || value === undefined ? '–' : shown(value, 2);

/** Lines of one case. */
export function caseClaims(found: CaseFinding): string {
  const { trials, features, graphs, rankings, years, looking } = found;
  const [heldOut, ...others] = trials as [TrialFinding, ...TrialFinding[]];
  const { circuit, allFeatures } = heldOut;
  const random = Math.max(...circuit.random.lost);
  const lines = [
    line(
      'A few features carry the answer',
      circuit.lost > CLEARLY * random,
      `${features.length} of them, where ${shown(graphs.whole.features, 0)} fire in a prompt's graph, lose ${share(circuit.lost)} on held-out pairs (all features: ${share(allFeatures.lost)}); as many random ones, of those that change most alike (${shown(found.likeness.changing, 2)} times as much), ${spread(circuit.random.lost)}.`,
    ),
    line(
      'They are enough, with the heads',
      circuit.keptWithHeads >= ENOUGH,
      `Kept: ${share(circuit.keptWithHeads)}, with all heads ${share(circuit.kept)}; random features with the same heads ${spread(circuit.random.keptWithHeads)}. What they lose is not what they can do alone: of the first 64 features with all heads ${share(at(heldOut, 'graph', 64, 'kept'))} is kept, of all features ${share(allFeatures.kept)}.`,
    ),
    ...others.map((trial) =>
      line(
        'Set to those of another start, they move the answer to it',
        trial.circuit.lost > CLEARLY * Math.max(...trial.circuit.random.lost) && trial.circuit.lost >= 0.5,
        `Of p of the years between, ${share(trial.circuit.lost)} moves; with random features ${spread(trial.circuit.random.lost)}.`,
      ),
    ),
    compared(
      'Comparing prompts finds features that plain attribution on one prompt does not',
      against(heldOut, 'graph', 'attribution', 'lost'),
      `lost by the first features of either (shared among the first ${features.length}: ${rankings.attribution?.shared ?? 0})`,
    ),
    compared(
      'What changes most is not what matters most',
      against(heldOut, 'graph', 'change', 'lost'),
      'lost, against the features that change most',
    ),
    compared(
      'Graphs find more than gradients',
      against(heldOut, 'graph', 'gradient', 'lost'),
      `lost; Spearman's ρ between the two is ${known(rankings.gradient?.spearman)}`,
    ),
    compared('Features say it in fewer units than neurons', against(heldOut, 'graph', 'neurons', 'lost'), 'lost'),
    compared('The same of what is kept', against(heldOut, 'graph', 'neurons', 'kept'), 'kept'),
    agreementClaim(found),
    attentionClaim(found),
    ...(years ? [yearClaim(found)] : []),
    ...(looking ? [lookingClaim(looking)] : []),
  ];
  return lines.join('\n');
}

const compared = (
  claim: string,
  { more, text }: { readonly more: boolean; readonly text: string },
  what: string,
): string => line(claim, more, `${text[0]?.toUpperCase() ?? ''}${text.slice(1)} ${what}.`);

/** Agreement of prediction is one thing, size of the effect another. */
function agreementClaim(found: CaseFinding): string {
  const [strongest, matched] = (['strongest', 'matched'] as const).map((group) => answerRow(found, group, 'as it is'));
  const sizes = (strongest?.size ?? 0) / (matched?.size ?? 1);
  const better = (strongest?.spearman ?? 0) > (matched?.spearman ?? 0) + MORE;
  return line(
    'Effects on the answer are predicted better for the strongest features than for random ones',
    better,
    `Spearman's ρ ${known(strongest?.spearman)} against ${known(matched?.spearman)}, same sign ${known(strongest?.signAgreement)} against ${known(matched?.signAgreement)}, NMSE ${known(strongest?.nmse)} against ${known(matched?.nmse)}. What sets them apart is the size of what happens: ${shown(strongest?.size ?? 0, 2)} against ${shown(matched?.size ?? 0, 2)}, ${shown(sizes, 1)} times.`,
  );
}

/** NMSE up to which sizes are said to be right. */
const RIGHT = 0.5;

function attentionClaim(found: CaseFinding): string {
  const [held, free] = (['attention held', 'as it is'] as const).map((mode) => answerRow(found, 'strongest', mode));
  const near = found.agreement
    .find(({ group, mode }) => group === 'strongest' && mode === 'as it is')
    ?.rows.find(({ depth }) => depth === 1);
  return line(
    'The size of what negating the strongest features does to the answer is predicted',
    (free?.nmse ?? 1) <= RIGHT && (held?.nmse ?? 1) <= RIGHT,
    `NMSE ${known(held?.nmse)} against the model with patterns held, ${known(free?.nmse)} against the model as it is; one layer on ${known(near?.nmse)}. A feature at minus its activation is far from the prompt that the graph is linear around: other features fire, which it does not know of.`,
  );
}

function yearClaim({ years }: CaseFinding): string {
  const values = (years?.features ?? []).flatMap(({ correlation }) => (correlation === null ? [] : [correlation]));
  const sorted = [...values].sort((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  return line(
    'Weights alone say which years a feature fires after',
    median >= 0.7,
    `Pearson's r over the starts: median ${shown(median, 2)} of ${values.length} features, from ${shown(sorted[0] ?? 0, 2)} to ${shown(sorted.at(-1) ?? 0, 2)}.`,
  );
}

function lookingClaim({ layer, head, terms, attention }: NonNullable<CaseFinding['looking']>): string {
  const [first] = terms;
  const byPlace = first?.kind === 'positions';
  return line(
    `Head ${headName({ layer, head })} knows the subject from an attractor by what it is, not by where it stands`,
    !byPlace && attention.behindAnother >= attention.alone / 2,
    `The largest part of the difference in its scores is of ${first?.kind ?? '–'} (${shown(first?.value ?? 0, 2)}); behind another document it gives the subject ${shown(attention.behindAnother, 2)} of its attention, without ${shown(attention.alone, 2)}.`,
  );
}

/** Lines that both cases decide. */
export function sharedClaims({ cases, settings }: FeatureStudy): string {
  const each = (text: (found: CaseFinding) => string): string =>
    cases.map((found) => `${CASE_NAMES[found.id].toLowerCase()} ${text(found)}`).join('; ');
  const agreement = (group: AgreementFinding['group']) => (found: CaseFinding) => answerRow(found, group, 'as it is');
  const [strongest, matched] = [agreement('strongest'), agreement('matched')];
  const nextLayer = (found: CaseFinding, group: AgreementFinding['group']): number | null | undefined =>
    found.agreement.find((one) => one.group === group && one.mode === 'as it is')?.rows.find(({ depth }) => depth === 1)
      ?.spearman;
  const middle = (found: CaseFinding) => found.graphs.pruned.find(({ threshold }) => threshold === 0.8);
  return [
    line(
      'Predictions agree better for the features found than for random ones',
      cases.every((found) => (strongest(found)?.spearman ?? 0) > (matched(found)?.spearman ?? 0) + MORE),
      `ρ on the answer, strongest and random: ${each((found) => `${known(strongest(found)?.spearman)} and ${known(matched(found)?.spearman)}`)}; one layer on: ${each((found) => `${known(nextLayer(found, 'strongest'))} and ${known(nextLayer(found, 'matched'))}`)}. A map that is linear around the prompt is right about small things too, so that agreement alone is no evidence for a circuit. The size of what happens is: mean change of the answer ${each((found) => `${shown(strongest(found)?.size ?? 0, 2)} and ${shown(matched(found)?.size ?? 0, 2)}`)}; and that it happens on other prompts: lost by the circuit and by random features, ${each(({ trials: [trial] }) => `${share(trial?.circuit.lost ?? 0)} and ${share(mean(trial?.circuit.random.lost ?? [0]))}`)}.`,
    ),
    `- **Scores of graphs say how much is explained, not whether it is right.** Replacement and completeness of whole graphs: ${each(({ graphs: { whole } }) => `${shown(whole.replacement, 2)} and ${shown(whole.completeness, 2)}`)}. Pruned to 80 % of the influence ${each((found) => `${shown(middle(found)?.features ?? 0, 0)} of ${shown(found.graphs.whole.features, 0)} features and ${shown(middle(found)?.edges ?? 0, 0)} of ${shown(found.graphs.whole.edges, 0)} edges`)} are left; of the circuit's features that fire ${each((found) => percent(middle(found)?.circuit ?? 0, 0))} are among them. Influence is of one prompt: what is the same in both prompts has it too.`,
    line(
      'The transcoders miss little of what MLPs do here',
      cases.every(
        ({ trials: [trial] }) => (trial?.allFeatures.lost ?? 0) >= 0.95 && (trial?.allFeatures.kept ?? 0) >= 0.9,
      ),
      `All features set to the other prompt's lose, and alone keep: ${each(({ trials: [trial] }) => `${share(trial?.allFeatures.lost ?? 0)} and ${share(trial?.allFeatures.kept ?? 0)}`)}.`,
    ),
    `- One trained model of 3 layers and one set of transcoders, ${settings.find} pairs to find and ${settings.trial} to try: nothing here speaks of GPT-2's size, and another set of transcoders has other features.`,
  ].join('\n');
}
