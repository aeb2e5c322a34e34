// Indirect object identification in English: 'When Amy and Laura were at the park, Laura gave a book to', for any tokenizer.
import { drawUntil } from '../family.js';
import type { IoiOrder } from '../ioi.js';
import { isNamePairHeldOut } from '../held-out.js';
import { belongs, words, type MakeSource, type TextSplit } from './source.js';
import { needs } from './tokens.js';

const NAMES = words(`
  James John Robert Michael William David Richard Joseph Thomas Charles Daniel Matthew Anthony Mark Steven Paul Andrew Joshua Kevin
  Brian George Edward Jason Ryan Jacob Gary Nicholas Eric Jonathan Stephen Larry Justin Scott Benjamin Samuel Gregory Frank Alexander
  Patrick Jack Dennis Tyler Aaron Adam Nathan Henry Peter Kyle Walter Keith Roger Carl Sean Arthur Bruce Albert Alan Ralph Vincent Louis
  Philip Simon Martin Oliver Lucas Leo Max Neil Mary Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Margaret
  Sandra Ashley Emily Donna Michelle Carol Amanda Melissa Stephanie Rebecca Sharon Laura Amy Angela Anna Emma Nicole Helen Samantha
  Rachel Catherine Maria Heather Diane Ruth Julie Olivia Victoria Kelly Lauren Christina Hannah Martha Alice Julia Sophia Grace Diana
  Natalie Charlotte Kate Lucy Claire Fiona Jane Rose Nina Clara Ellen`);
const PLACES = words('park market library station museum theater airport harbor');
const OBJECTS = words('book letter ticket key camera sandwich map coin');

/** 15 frames that can be read with the two people in either order; each ends where the answer's name follows. */
const FRAMES: readonly string[] = [
  'When {first} and {second} were at the {place}, {giver} gave a {object} to',
  'After {first} and {second} left the {place}, {giver} handed a {object} to',
  'While {first} and {second} waited at the {place}, {giver} passed a {object} to',
  'As {first} and {second} walked to the {place}, {giver} offered a {object} to',
  'Because {first} and {second} shared a taxi to the {place}, {giver} lent a {object} to',
  'Yesterday {first} and {second} met at the {place}, and {giver} brought a {object} to',
  'Last week {first} and {second} drove to the {place}, where {giver} showed a {object} to',
  'Once {first} and {second} reached the {place}, {giver} sold a {object} to',
  'Before {first} and {second} went to the {place}, {giver} sent a {object} to',
  'Then {first} and {second} talked outside the {place}, and {giver} returned a {object} to',
  'Since {first} and {second} found a {object} near the {place}, {giver} wanted to give it to',
  'Today {first} and {second} bought a {object} at the {place}, and {giver} promised it to',
  'Afterwards {first} and {second} rested at the {place}, and {giver} threw a {object} to',
  'When {first} and {second} got a {object} from the {place}, {giver} chose to give it to',
  'In the evening {first} and {second} stayed near the {place}, so {giver} mailed a {object} to',
];

/** What becomes of the giver: ABC, a third person (no answer is right any more); ABB, the receiver (the other answer is right). */
export type IoiCorruption = 'abc' | 'abb';

/** The order 'mixed' takes turns. Correct is the receiver, incorrect the giver, who is named twice. Held out: a fifth of the unordered pairs of names. */
export const ioiSource =
  (order: IoiOrder, corruption: IoiCorruption): MakeSource =>
  (tokens) => {
    const names = needs('ioi', tokens.single(NAMES), 8, 'first names that are one token', NAMES.length);
    const places = needs('ioi', tokens.single(PLACES), 1, 'places that are one token', PLACES.length);
    const objects = needs('ioi', tokens.single(OBJECTS), 1, 'objects that are one token', OBJECTS.length);
    const couples = { train: 0, 'held-out': 0, all: 0 };
    for (const [i, a] of names.entries())
      for (const b of names.slice(i + 1)) {
        couples[isNamePairHeldOut(a, b) ? 'held-out' : 'train'] += 2;
        couples.all += 2;
      }
    const scenes = FRAMES.length * places.length * objects.length * (order === 'mixed' ? 2 : 1);
    return {
      size: (split: TextSplit) => couples[split] * scenes,
      draw: (random, split, turn) => {
        const [receiver, giver] = drawUntil(
          () => [random.pick(names), random.pick(names)] as const,
          ([a, b]) => a !== b && belongs(isNamePairHeldOut(a, b), split),
        );
        const third = drawUntil(
          () => random.pick(names),
          (name) => name !== receiver && name !== giver,
        );
        const receiverFirst = order === 'abba' || (order === 'mixed' && turn % 2 === 0);
        const frame = random.below(FRAMES.length);
        const place = random.pick(places);
        const object = random.pick(objects);
        const text = (actor: string): string =>
          (FRAMES[frame] ?? '')
            .replace('{first}', receiverFirst ? receiver : giver)
            .replace('{second}', receiverFirst ? giver : receiver)
            .replace('{giver}', actor)
            .replace('{place}', place)
            .replace('{object}', object);
        return {
          clean: text(giver),
          corrupted: text(corruption === 'abc' ? third : receiver),
          correct: [` ${receiver}`],
          incorrect: [` ${giver}`],
          entities: [receiver, giver],
          roles: { [receiver]: 'io', [giver]: 's', [place]: 'place', [object]: 'object' },
          labels: { order: receiverFirst ? 'abba' : 'baba', frame: String(frame), corruption },
        };
      },
    };
  };
