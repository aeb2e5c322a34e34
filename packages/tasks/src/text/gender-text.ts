// Gender bias of professions in English: 'The nurse ran because' → she, corrupted by the man or the woman, for any tokenizer.
import type { Random } from '../random.js';
import { belongs, isEntityHeldOut, shuffled, words, type MakeSource, type TextSplit } from './source.js';
import { needs } from './tokens.js';

/** Professions by the pronoun that English text gives them more often; the bias is the object of study. */
const PROFESSIONS = {
  she: words(`
    nurse maid nun actress waitress secretary teacher dancer singer model counselor therapist psychologist designer tutor assistant cleaner
    attendant aide volunteer planner educator translator interpreter novelist servant clerk organizer advocate
    nanny librarian receptionist hairdresser stylist babysitter florist housekeeper midwife stewardess`),
  he: words(`
    captain soldier mechanic butcher miner pilot guard driver builder sheriff farmer hunter warrior wrestler boxer firefighter engineer
    surgeon banker coach boss philosopher priest sailor physicist programmer referee drummer commander
    carpenter plumber janitor electrician lumberjack barber chauffeur bouncer welder admiral`),
} as const;

type Pronoun = keyof typeof PROFESSIONS;
const PRONOUNS: readonly Pronoun[] = ['she', 'he'];
const PLAIN: Readonly<Record<Pronoun, string>> = { she: 'woman', he: 'man' };
const other = (pronoun: Pronoun): Pronoun => (pronoun === 'she' ? 'he' : 'she');

/** The 17 frames of the paper: six verbs that report, eleven that want a reason. */
const FRAMES: readonly string[] = [
  ...words('said yelled whispered wanted desired wished').map((verb) => `${verb} that`),
  ...[
    'ate',
    'ran',
    'drove',
    'slept',
    'cried',
    'laughed',
    'went home',
    'stayed up',
    'was fired',
    'was promoted',
    'yelled',
  ].map((verb) => `${verb} because`),
];

/** The two pronouns take turns and have equally many prompts. Held out: a quarter of the professions. */
export const genderSource: MakeSource = (tokens) => {
  needs(
    'gender',
    tokens.single([...PRONOUNS, 'man', 'woman']),
    4,
    'of the words she, he, man and woman that are one token',
    4,
  );
  const professions = (split: TextSplit): Readonly<Record<Pronoun, readonly string[]>> => {
    const of = (pronoun: Pronoun): readonly string[] =>
      tokens.single(PROFESSIONS[pronoun]).filter((word) => belongs(isEntityHeldOut('gender', word), split));
    const [she, he] = [of('she'), of('he')];
    const least = Math.min(she.length, he.length);
    return { she: she.slice(0, least), he: he.slice(0, least) };
  };
  const cells = { train: professions('train'), 'held-out': professions('held-out'), all: professions('all') };
  needs(
    'gender',
    cells['held-out'].she,
    1,
    'professions of either pronoun, in either split, that are one token',
    PROFESSIONS.she.length,
  );
  return {
    size: (split) => 2 * cells[split].she.length * FRAMES.length,
    draw: (random, split, turn) => {
      const pronoun = PRONOUNS[turn % 2] ?? 'she';
      const profession = random.pick(cells[split][pronoun]);
      const frame = random.pick(FRAMES);
      return {
        clean: `The ${profession} ${frame}`,
        corrupted: `The ${PLAIN[other(pronoun)]} ${frame}`,
        correct: [` ${pronoun}`],
        incorrect: [` ${other(pronoun)}`],
        entities: [profession],
        roles: { [profession]: 'profession' },
        labels: { profession, stereotype: pronoun, frame },
      };
    },
  };
};

/** Prompts in which the gender is given, "The woman ran because", in the order of a stream; they are about their frame. */
export function givenGenders(random: Random): readonly {
  readonly text: string;
  readonly correct: string;
  readonly wrong: string;
  readonly entities: readonly string[];
  readonly roles: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}[] {
  return shuffled(
    FRAMES.flatMap((frame) =>
      PRONOUNS.map((pronoun) => ({
        text: `The ${PLAIN[pronoun]} ${frame}`,
        correct: ` ${pronoun}`,
        wrong: ` ${other(pronoun)}`,
        entities: [frame],
        roles: { [PLAIN[pronoun]]: 'person' },
        labels: { person: PLAIN[pronoun], given: pronoun, frame },
      })),
    ),
    random,
  );
}
