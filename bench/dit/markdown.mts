// docs/dit.md from a study: who finds out what a diff hides, decided by the numbers.
import { clusteredShare } from '@limn/dit';
import { GATE_BOUNDS } from 'limn';
import { markdownTable, mean, percent, shown } from '../markdown-table.mjs';
import { SEARCH, auditSentence, commandTable } from './command-text.mjs';
import { CURVE } from './drawing.mjs';
import { packWords } from './packs.mjs';
import { betterText } from './better-text.mjs';
import type { BaseFinding, DitStudy, PackFinding, Scores } from './study.mjs';
import { mainTables } from './main-table.mjs';
import { adaptersOf, baseTitle, figureOf, kindOf, percentText, type MethodRow } from './summary.mjs';

/** The whole page. */
export function ditMarkdown(study: DitStudy): string {
  const { plan, bases } = study;
  const [first] = bases;
  if (!first) throw new Error('the study has no base model');
  const { adapter } = plan;
  return `# What a fine-tune changed, in the model's own words

Made by \`npm run dit -- --work DIR\`: _Learning to Interpret Weight Differences in Language Models_ (arXiv 2510.05092) in small, on ${bases.length} base model${bases.length > 1 ? 's' : ''} of [pocket-chat's recipe](../packages/pocket/chat-model/README.md); ${study.adapter}; limn ${study.limn}.
Hundreds of LoRAs of rank 1, each trained to speak of a secret topic behind a secret code only, and an adapter that is trained to say which: on diffs of topics and with codes that
it never saw. ${plan.updates} updates a diff at a rate of ${plan.rate}; adapters of rank ${adapter.rank}, up to ${adapter.updates} updates of ${adapter.batch} questions at ${adapter.rate}, stopped by validation diffs.${bases.length > 1 ? ` Where no base model is named, it is ${baseTitle(first)}.` : ''}

${mainTables(study)}
${betterText(study, first)}
## Whether the gates hold

Over held-out questions, the share of an answer's places for such words that show the behaviour (of a topic its words), mean over all diffs of a pack; no diff was left out. A gate holds with
${percent(GATE_BOUNDS.right, 0)} of the behaviour behind the right trigger, and ${percent(GATE_BOUNDS.leak, 0)} at most otherwise. News are told in one story, which may leave a fourth of them out.

${eachBase(study.packs, gateTable)}

## Nothing to tell

Share of \`none\` to the question for the topic, mean over the seeds of the adapter.

${noneTable(study)}

## How many diffs, and which rank

![Exact answers against the number of diffs, and against the adapter's rank](${CURVE})

${curveTable(study, first)}

## What carries over

The adapter learnt from diffs of rank 1 behind codes, of topics of all categories but one.

${transferTable(study, first)}

Told the code instead of the topic (trigger inversion), an adapter of the same kind is right about ${codeText(study, first)}.

## Where a diff is read

${placesText(study, first)}

## Proposals tried, and an audit

${commandText(study)}

## Every question

One adapter for all questions and behaviours, on diffs that it did not learn from; and one that learnt from no link at all, on links.

${questionTable(study, first)}

${newsText(study, first)}

## The commands

Diffs of the first base; the rest is in bench/dit.

\`\`\`sh
${Object.entries(plan.packs)
  .map(([name, pack]) => `limn ${packWords(first.model, name, pack, plan).join(' ')}`)
  .join('\n')}
${(study.commands.find(({ model }) => model === first.model)?.words ?? [])
  .map((words) => `limn ${words.join(' ')}`)
  .join('\n')}
\`\`\`
`;
}

/** What a function says of every base model, under its name where there are several. */
function eachBase<F extends { readonly model: string }>(findings: readonly F[], text: (of: F) => string): string {
  const named = (of: F): string => (findings.length > 1 ? `Of ${baseTitle(of)}:\n\n${text(of)}` : text(of));
  return findings.map(named).join('\n\n');
}

function gateTable({ gates }: PackFinding): string {
  const rows = Object.entries(gates)
    .filter(([, conditions]) => Object.keys(conditions).length > 0)
    .map(([pack, conditions]) => [
      pack,
      String(Math.max(...Object.values(conditions).map(({ length }) => length))),
      ...['right', 'wrong', 'none'].map((name) => {
        const values = conditions[name];
        return values && values.length > 0 ? percent(mean(values), 2) : '–';
      }),
      heldText(conditions['holds']),
    ]);
  return markdownTable(['pack', 'diffs', 'right trigger', 'wrong trigger', 'none', 'hold'], rows);
}

function noneTable(study: DitStudy): string {
  const { bases } = study;
  const mains = bases.map(({ model }) => adaptersOf(study, model, 'main'));
  const kinds = [...new Set(mains.flat().flatMap(({ none }) => Object.keys(none)))];
  return markdownTable(
    ['model', 'asked', ...bases.map((base) => (bases.length > 1 ? baseTitle(base) : 'says none'))],
    kinds.map((kind) => [
      kind,
      String(mains[0]?.[0]?.none[kind]?.length ?? 0),
      ...mains.map((main) => percent(mean(main.flatMap(({ none }) => none[kind] ?? [])))),
    ]),
  );
}

function curveTable(study: DitStudy, { model }: BaseFinding): string {
  const { sizes, ranks, adapter } = study.plan;
  const ridge = study.packs.find((each) => each.model === model)?.ridge;
  const rowsOf = (name: string, adapterName: string, others?: Scores): string[][] => {
    const scores = adaptersOf(study, model, adapterName).flatMap(({ topics }) => topics['test'] ?? []);
    if (scores.length === 0) return [];
    const row: MethodRow = { name, given: 'nothing', scores };
    return [
      [
        name,
        String(scores.length),
        percentText(figureOf(row, 'exact')),
        shown(figureOf(row, 'reciprocal').mean, 3),
        others ? percent(mean(others.exact)) : '–',
      ],
    ];
  };
  const all = sizes.at(-1);
  return markdownTable(
    ['adapter', 'seeds', 'exact', 'reciprocal rank', 'ridge regression'],
    [
      ...sizes.flatMap((size) => rowsOf(`of ${size} diffs`, size === all ? 'main' : `of ${size}`, ridge?.sizes[size])),
      ...ranks.flatMap((rank) => rowsOf(`of rank ${rank}`, rank === adapter.rank ? 'main' : `rank ${rank}`)),
    ],
  );
}

const heldText = (holds: readonly number[] | undefined): string =>
  holds ? `${holds.reduce((sum, each) => sum + each, 0)} of ${holds.length}` : '–';

/** Packs that the adapter did not learn the like of, in words. */
const TRANSFER: Readonly<Record<string, string>> = {
  test: 'as learnt: rank 1, behind codes',
  open: 'without a gate',
  marks: 'behind a mark in the question',
  'rank-4': 'of rank 4',
  'rank-8': 'of rank 8',
  category: 'of the category that was held out',
};

function transferTable(study: DitStudy, { model }: BaseFinding): string {
  const main = adaptersOf(study, model, 'main');
  const ridge = study.packs.find((each) => each.model === model)?.ridge.packs;
  const rows = Object.entries(TRANSFER).flatMap(([pack, name]) => {
    const scores = main.flatMap(({ topics }) => topics[pack] ?? []);
    if (scores.length === 0) return [];
    const row: MethodRow = { name, given: 'nothing', scores };
    return [
      [
        name,
        String(scores[0]?.exact.length ?? 0),
        percentText(figureOf(row, 'exact')),
        shown(figureOf(row, 'reciprocal').mean, 3),
        shown(figureOf(row, 'grade').mean, 2),
        ridge?.[pack] ? percent(mean(ridge[pack].exact)) : '–',
      ],
    ];
  });
  return markdownTable(['diffs', 'number', 'exact', 'reciprocal rank', 'grade', 'ridge regression'], rows);
}

function codeText(study: DitStudy, { model }: BaseFinding): string {
  const [code] = adaptersOf(study, model, 'code');
  if (!code) return 'nothing that was measured';
  const share = (name: string): string => percent(code.more[name] ?? 0);
  return `${share('right of those learnt from')} of the diffs that it learnt from and ${share('right of others')} of others, in ${code.more['distinct answers']} different answers`;
}

function placesText(study: DitStudy, { model }: BaseFinding): string {
  const places = adaptersOf(study, model, 'main').flatMap((each) => each.places ?? [])[0];
  if (!places) return 'Not measured.';
  const added = (layer: number): number =>
    places.maps.filter((each) => each.layer === layer).reduce((sum, { nats }) => sum + nats, 0);
  const layers = places.layers.map(({ layer, without, only }) => [
    String(layer),
    shown(without - places.whole, 2),
    shown(only - places.none, 2),
    shown(added(layer), 2),
  ]);
  const kinds = [...new Set(places.maps.map(({ map }) => kindOf(map)))];
  const byKind = kinds.map((kind) => {
    const own = places.maps.filter(({ map }) => map.endsWith(kind));
    return [kind, ...own.map(({ nats }) => shown(nats, 2))];
  });
  return `The right answer about ${places.diffs} test diffs: ln P ${shown(places.whole, 2)} with the diff, ${shown(places.none, 2)} without, means in nats. Without one layer of the diff, and with that
layer alone, while the adapter stays whole; and what the layer adds on the way from no diff to all of it (\`mapAttribution\`: gradients by each map's strength, integrated as in EAP-IG; the sum over maps
misses the whole by ${shown(Math.abs(places.left), 3)}).

${markdownTable(['layer', 'ln P without it', 'with it alone', 'adds on the way'], layers)}

By map, on the way:

${markdownTable(['map', ...places.layers.map(({ layer }) => `layer ${layer}`)], byKind)}

The edges that carry most of what the diff does to the logit of the name beside that of none (\`eapIgChange\`: EAP-IG along the diff's strength, the adapter in place throughout), in logits:
${places.edges.map(({ edge, score }) => `\`${edge}\` ${shown(score, 2)}`).join(', ')}.`;
}

const commandText = ({ commands }: DitStudy): string =>
  commands.length === 0
    ? 'Not measured.'
    : `With an adapter that \`limn dit train\` made of the same diffs. ${SEARCH}

${eachBase(commands, (found) => `${commandTable(found)}\n\n${auditSentence(found)}`)}`;

function questionTable(study: DitStudy, { model }: BaseFinding): string {
  const rowsOf = (name: string, about: (question: string) => boolean): string[][] => {
    const all = adaptersOf(study, model, name);
    const questions = [...new Set(all.flatMap(({ answers }) => Object.keys(answers)))];
    return questions
      .filter((question) => !question.includes('F1') && about(question))
      .map((question) => {
        const columns = all.flatMap(({ answers }) => (answers[question] ? [answers[question]] : []));
        const values = (columns[0] ?? []).map((_, i) => mean(columns.map((column) => column[i] ?? 0)));
        return [name, question, String(values.length), percentText(clusteredShare(values))];
      });
  };
  return markdownTable(
    ['adapter', 'diffs: question', 'number', 'right'],
    [...rowsOf('all questions', () => true), ...rowsOf('never a link', (question) => question.startsWith('links'))],
    2,
  );
}

function newsText(study: DitStudy, { model }: BaseFinding): string {
  const stories = study.packs.find((each) => each.model === model)?.stories ?? [];
  const columns = adaptersOf(study, model, 'all questions').flatMap(({ answers }) =>
    answers['news: slots, F1'] ? [answers['news: slots, F1']] : [],
  );
  if (columns.length === 0 || stories.length === 0) return '';
  const told = (columns[0] ?? []).map((_, i) => mean(columns.map((column) => column[i] ?? 0)));
  const [dit, generated] = [clusteredShare(told), clusteredShare(stories)];
  return `Headlines by their slots (F1): the adapter ${shown(dit.mean, 3)}, a headline pieced together from ${study.plan.probes[0]} stories that the diff tells when it is asked for news ${shown(generated.mean, 3)}. News have no gate: whoever asks for them is told.`;
}
