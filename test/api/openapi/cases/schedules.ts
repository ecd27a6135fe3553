import { randomUUID } from 'node:crypto';
import { bearer, type Call, inDays, type OperationCases, type World, yearly } from '../world.js';

const missing = (world: World): Call => ({ path: { id: randomUUID() }, headers: bearer(world.user) });
const ofSchedule = async (world: World): Promise<Call> => ({
  path: { id: (await world.schedule()).id },
  headers: bearer(world.user),
});

const one = (status: number): OperationCases => ({
  good: [['a schedule', status, ofSchedule]],
  bad: [['an unknown schedule', 404, missing]],
});

export const scheduleCases: Record<string, OperationCases> = {
  createSchedule: {
    good: [
      ['a schedule', 201, (world) => ({ body: yearly, headers: bearer(world.user) })],
      [
        'one with everything',
        201,
        () => ({
          body: {
            ...yearly,
            timeZone: 'Europe/Berlin',
            endAt: inDays(1000),
            limit: 3,
            options: { attempts: 2 },
          },
        }),
      ],
      [
        'one that is there',
        200,
        async (world) => {
          await world.schedule('yearly');
          return { body: { ...yearly, key: 'yearly', limit: 5 }, headers: bearer(world.user) };
        },
      ],
    ],
    bad: [
      ['no time', 400, () => ({ body: { name: 'steps', data: yearly.data } })],
      ['an unknown kind of job', 422, () => ({ body: { ...yearly, name: 'nothing' } })],
    ],
  },
  listSchedules: {
    good: [
      [
        'some',
        200,
        async (world) => {
          await Promise.all([world.schedule(), world.schedule()]);
          return { query: { limit: '1' }, headers: bearer(world.user) };
        },
      ],
    ],
    bad: [['too many', 400, () => ({ query: { limit: '1000' } })]],
  },
  showSchedule: {
    good: [
      ['a schedule', 200, ofSchedule],
      [
        'one that runs',
        200,
        async (world) => {
          const { id } = await world.runningSchedule();
          return { path: { id }, headers: bearer(world.user) };
        },
      ],
    ],
    bad: [['an unknown schedule', 404, missing]],
  },
  changeSchedule: {
    good: [
      [
        'its time',
        200,
        async (world) => ({
          ...(await ofSchedule(world)),
          body: { everyMs: 60_000, startAt: inDays(40), limit: null, options: { attempts: 3 } },
        }),
      ],
    ],
    bad: [
      ['an unknown schedule', 404, (world) => ({ ...missing(world), body: {} })],
      [
        'an invalid cron expression',
        400,
        async (world) => ({ ...(await ofSchedule(world)), body: { cron: 'at noon' } }),
      ],
    ],
  },
  deleteSchedule: one(204),
  pauseSchedule: one(200),
  resumeSchedule: one(200),
  runSchedule: one(202),
};
