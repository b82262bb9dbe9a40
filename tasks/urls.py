"""Addresses of the to-do list: nouns; an action is a POST to a sub-path."""

from django.urls import path

from tasks import views

urlpatterns = [
    path("tasks/", views.TasksView.as_view(), name="tasks"),
    path("tasks/restore/", views.TasksRestoreView.as_view(), name="tasks-restore"),
    path("tasks/<uuid:pk>/", views.TaskDetailView.as_view(), name="task-detail"),
    path("tasks/<uuid:pk>/complete/", views.TaskCompleteView.as_view(), name="task-complete"),
    path("tasks/<uuid:pk>/reopen/", views.TaskReopenView.as_view(), name="task-reopen"),
    path("tasks/<uuid:pk>/move/", views.TaskMoveView.as_view(), name="task-move"),
    path("tasks/<uuid:pk>/delete/", views.TaskDeleteView.as_view(), name="task-delete"),
]
