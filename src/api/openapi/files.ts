import { fileSchema } from './answers.js';
import { json, type Operation } from './operation.js';

/** `/v1/files`: uploads. */
export const fileOperations: Operation[] = [
  {
    method: 'post',
    path: '/v1/files',
    id: 'uploadFile',
    audit: false,
    startsWork: true,
    tag: 'Files',
    summary: 'Upload a file',
    description:
      'Send a form with one file in the field `file`, or send the bytes as the body and name the file with `?name=`. Use the returned `id` in the data of a job.',
    access: 'caller',
    parameters: [
      {
        name: 'name',
        in: 'query',
        description: 'File name. Required unless a form is sent',
        schema: { type: 'string' },
        example: 'people.csv',
      },
    ],
    body: {
      content: {
        'multipart/form-data': {
          schema: {
            type: 'object',
            properties: { file: { type: 'string', contentMediaType: 'application/octet-stream' } },
            required: ['file'],
          },
        },
        '*/*': { schema: {} },
      },
    },
    answers: {
      201: {
        description: 'The file is stored',
        content: json(fileSchema, {
          id: 'file_UWsPppvnkbcgr8aG4rlV7WWDDMQ',
          name: 'people.csv',
          size: 43,
          sha256: '6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b',
        }),
      },
    },
    errors: [
      'invalid-request',
      'file-too-large',
      'upload-aborted',
      'upload-stalled',
      'disk-full',
      'internal',
    ],
  },
];
