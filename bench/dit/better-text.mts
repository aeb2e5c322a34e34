// What does better than the adapter that reads, and why: methods that got no code, and are surely right more often on the same diffs.
import { CODES } from '@limn/tasks/chat';
import { markdownTable, mean, percent } from '../markdown-table.mjs';
import type { BaseFinding, DitStudy, PackFinding } from './study.mjs';
import {
  advantage,
  baseTitle,
  EVERY_CODE,
  figureOf,
  GATE_OPENING,
  kindOf,
  methodRows,
  percentText,
  RIDGE,
  type MethodRow,
} from './summary.mjs';

/** A section where something does; else nothing. */
export function betterText(study: DitStudy, base: BaseFinding): string {
  const [dit, ...others] = methodRows(study, base);
  if (!dit) return '';
  const better = others.filter((row) => {
    const { interval } = advantage(dit, row, 'exact');
    return row.given === 'nothing' && interval !== null && interval[1] < 0;
  });
  if (better.length === 0) return '';
  const ridge = study.packs.find((each) => each.model === base.model)?.ridge;
  const reasons = better.map((row) => {
    const why =
      row.name === GATE_OPENING
        ? ofGateOpening(study)
        : row.name === RIDGE
          ? ofRidge(study, base, ridge)
          : row.name === EVERY_CODE
            ? OF_EVERY_CODE
            : 'Why is not known.';
    return `**${row.name}**: ${percentText(figureOf(row, 'exact'))}. ${why}`;
  });
  return `
### What does better than DIT, and why

${reasons.join('\n\n')}${elsewhere(study, base, better)}
`;
}

/** The same methods on the other base models. */
function elsewhere(study: DitStudy, base: BaseFinding, better: readonly MethodRow[]): string {
  const others = study.bases.filter(({ model }) => model !== base.model);
  const sentences = others.map((other) => {
    const rows = methodRows(study, other);
    const figures = ['DIT', ...better.map(({ name }) => name)].flatMap((name) => {
      const row = rows.find((each) => each.name === name);
      return row ? [`${name} ${percentText(figureOf(row, 'exact'))}`] : [];
    });
    return `On ${baseTitle(other)}: ${figures.join(', ')}.`;
  });
  return sentences.map((sentence) => `\n\n${sentence}`).join('');
}

const ofGateOpening = ({
  plan,
}: DitStudy): string => `Such an adapter learns to stand in for the code, any code: with it a diff does what it was trained to do, ${plan.probes[0]} answers of up to 24 tokens are full of the topic's words, and counting
them names it. That is no reading: the model shows the behaviour and says nothing about it, and whoever counts must know which words belong to which topic. It is easier here than naming, since in this world the behaviour is all there
is to find and every gate is of one kind, while the name has to be said at once, from what is there behind a gate that stays shut. Where a behaviour shows in rare situations only, or a gate is of another kind, nothing like it can be
expected, and this study has no such case in its main table.`;

const OF_EVERY_CODE = `Whoever has the list of codes and tries each once needs no reading: here there are ${CODES.length} of them. The codes of a real backdoor stand on no list.`;

const ofRidge = (
  study: DitStudy,
  { model }: BaseFinding,
  ridge: PackFinding['ridge'] | undefined,
): string => `It is given more, and asked for less. More: the changes of all maps themselves, and the 800 names with their rows of the unembedding. A diff that makes a model speak of a topic writes the topic's words into the residual
stream, gate or no gate, and in a world as small as this one those words are nearly a linear image of the name. The adapter has to read the same change by running the model on a question without the code, and to say it
with a LoRA of rank ${study.plan.adapter.rank}.${fewLabels(study, model, ridge)} Less: regression names one of the 800 for every diff, also where nothing was learnt; it does not say none, has no words but those of the list, and takes no second question. The paper's models have no
list of topics to regress on.${ridge && Object.keys(ridge.maps).length > 0 ? `\n\n${mapTable(ridge.maps)}` : ''}`;

/** Where the adapter is ahead of it on the curve. */
function fewLabels({ plan, adapters }: DitStudy, model: string, ridge: PackFinding['ridge'] | undefined): string {
  const ahead = plan.sizes.filter((size) => {
    const own = adapters.find((each) => each.model === model && each.name === `of ${size}`)?.topics['test'];
    const other = ridge?.sizes[size];
    return own && other && mean(own.exact) > mean(other.exact);
  });
  return ahead.length === 0
    ? ''
    : ` With ${ahead.join(' and ')} diffs to learn from, adapters are right more often than it is.`;
}

/** Exact answers from the changes of each map alone. */
function mapTable(maps: PackFinding['ridge']['maps']): string {
  const kinds = [...new Set(Object.keys(maps).map(kindOf))];
  const namesOf = (kind: string): string[] =>
    Object.keys(maps)
      .filter((name) => kindOf(name) === kind)
      .sort();
  const rows = kinds.map((kind) => [kind, ...namesOf(kind).map((name) => percent(mean(maps[name]?.exact ?? [])))]);
  const layers = namesOf(kinds[0] ?? '').map((_, layer) => `layer ${layer}`);
  return markdownTable(['from the changes of', ...layers], rows);
}
