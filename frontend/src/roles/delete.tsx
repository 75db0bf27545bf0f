import { useMutation, useQueryClient } from '@tanstack/react-query'
import { api, type Schemas } from '../api/client.ts'
import { words } from '../i18n/en/roles.ts'
import { FormDialog } from '../ui/form.tsx'

const w = words.roles

/** Deletes an own role. The server refuses while somebody has it, and names who. */
export function DeleteRole({ role, onClose }: { role: Schemas['Role']; onClose: () => void }) {
  const client = useQueryClient()
  const remove = useMutation({
    mutationFn: () => api.DELETE('/api/v1/roles/{id}', { params: { path: { id: role.name } } }),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: ['roles'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={w.deleteTitle(role.name)}
      submit={w.delete}
      danger
      busy={remove.isPending}
      error={remove.error}
      onClose={onClose}
      onSubmit={() => remove.mutate()}
    >
      <p>{w.deleteText}</p>
    </FormDialog>
  )
}
