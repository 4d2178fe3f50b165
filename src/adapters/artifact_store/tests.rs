//! The folders of artifacts: how they are made and removed, and what hostile contents cannot do.

use super::*;
use devloop_core::plan::artifact::{candidate_folder, generation_folder};
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::sync::Mutex;
use tempfile::TempDir;

struct Desk {
    temp: TempDir,
    store: Store,
    site: ArtifactName,
}

impl Desk {
    fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let state_file = temp.path().join(".devloop/state.json");
        fs::create_dir(temp.path().join(".devloop")).unwrap();
        Self { temp, store: Store::new(&state_file), site: ArtifactName::from("site") }
    }

    fn own(&self) -> PathBuf {
        self.temp.path().join(".devloop/artifacts/site")
    }

    fn candidate(&self, generation: Generation) -> PathBuf {
        candidate_folder(&self.store.state_file, &self.site, generation)
    }

    fn folder(&self, generation: Generation) -> PathBuf {
        generation_folder(&self.store.state_file, &self.site, generation)
    }

    fn prepare(&self) -> Generation {
        self.store.prepare(&self.site).unwrap()
    }

    /// A generation with a file in it.
    fn publish(&self) -> Generation {
        let generation = self.prepare();
        fs::write(self.candidate(generation).join("page"), generation.to_string()).unwrap();
        self.store.install(&self.site, generation).unwrap();
        generation
    }

    fn entries(&self) -> Vec<String> {
        let mut entries: Vec<String> =
            fs::read_dir(self.own()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        entries.sort();
        entries
    }
}

#[test]
fn a_generation_is_built_in_a_private_folder_and_renamed_into_place() {
    let desk = Desk::new();
    let generation = desk.prepare();
    let candidate = desk.candidate(generation);
    assert_eq!(fs::read_dir(&candidate).unwrap().count(), 0);
    for folder in [&candidate, &desk.own(), &desk.temp.path().join(".devloop/artifacts")] {
        assert_eq!(fs::metadata(folder).unwrap().mode() & 0o777, 0o700, "{}", folder.display());
    }
    fs::create_dir(candidate.join("css")).unwrap();
    fs::write(candidate.join("css/page.css"), "b {}").unwrap();
    desk.store.install(&desk.site, generation).unwrap();
    assert_eq!(desk.entries(), [generation.to_string()]);
    assert_eq!(fs::read_to_string(desk.folder(generation).join("css/page.css")).unwrap(), "b {}");
    assert_eq!(desk.store.find(&desk.site).unwrap(), [generation]);
}

#[test]
fn looking_makes_nothing() {
    let desk = Desk::new();
    assert_eq!(desk.store.find(&desk.site).unwrap(), []);
    assert_eq!(fs::read_dir(desk.temp.path().join(".devloop")).unwrap().count(), 0);
    fs::remove_dir(desk.temp.path().join(".devloop")).unwrap();
    assert_eq!(desk.store.find(&desk.site).unwrap(), []);
}

#[test]
fn a_later_generation_is_greater_also_when_the_clock_went_back() {
    let desk = Desk::new();
    desk.prepare();
    let future = Generation::new(9_000_000_000_000, 7);
    fs::create_dir(desk.folder(future)).unwrap();
    let next = desk.prepare();
    assert!(next > future, "{next} {future}");
}

#[test]
fn what_crashed_sessions_left_half_done_is_removed_and_nothing_else() {
    let desk = Desk::new();
    let kept = desk.publish();
    for name in [".candidate-1-00000001", ".candidate-", ".removed-0123456789abcdef"] {
        fs::create_dir_all(desk.own().join(name).join("deep/er")).unwrap();
        fs::write(desk.own().join(name).join("deep/file"), "x").unwrap();
    }
    fs::write(desk.own().join(".candidate-file"), "x").unwrap();
    symlink(desk.temp.path(), desk.own().join(".candidate-link")).unwrap();
    fs::write(desk.own().join("notes"), "the user's own").unwrap();
    assert_eq!(desk.store.find(&desk.site).unwrap(), [kept]);
    assert_eq!(desk.entries(), [kept.to_string(), "notes".to_owned()]);
}

#[test]
fn only_folders_with_exactly_the_name_of_a_generation_are_found() {
    let desk = Desk::new();
    let whole = desk.publish();
    let outside = tempfile::tempdir().unwrap();
    symlink(outside.path(), desk.own().join("1-0000000a")).unwrap();
    symlink(desk.folder(whole), desk.own().join("1-0000000b")).unwrap();
    fs::write(desk.own().join("1-0000000c"), "a file").unwrap();
    for name in ["1-0000000D", "01-0000000a", "1-0000000a.old", "latest"] {
        fs::create_dir(desk.own().join(name)).unwrap();
    }
    assert_eq!(desk.store.find(&desk.site).unwrap(), [whole]);
}

#[test]
fn no_folder_on_the_way_may_be_a_link() {
    for name in [".devloop/artifacts", ".devloop/artifacts/site"] {
        let desk = Desk::new();
        let outside = tempfile::tempdir().unwrap();
        fs::create_dir(outside.path().join("1-0000000a")).unwrap();
        fs::create_dir(outside.path().join("site")).unwrap();
        fs::create_dir(outside.path().join("site/1-0000000a")).unwrap();
        fs::create_dir_all(desk.temp.path().join(name).parent().unwrap()).unwrap();
        symlink(outside.path(), desk.temp.path().join(name)).unwrap();
        desk.store.find(&desk.site).unwrap_err();
        desk.store.prepare(&desk.site).unwrap_err();
        let generation = Generation::new(1, 10);
        desk.store.install(&desk.site, generation).unwrap_err();
        desk.store.remove(&desk.site, &[generation]).unwrap_err();
        assert!(outside.path().join("1-0000000a").exists() && outside.path().join("site/1-0000000a").exists());
        assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 2);
    }
}

#[test]
fn links_are_removed_and_never_followed() {
    let desk = Desk::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "kept").unwrap();
    let generation = desk.prepare();
    let candidate = desk.candidate(generation);
    symlink(outside.path(), candidate.join("folder")).unwrap();
    symlink(outside.path().join("precious"), candidate.join("file")).unwrap();
    symlink("..", candidate.join("up")).unwrap();
    symlink("/", candidate.join("root")).unwrap();
    symlink("nowhere", candidate.join("dangling")).unwrap();
    fs::hard_link(outside.path().join("precious"), candidate.join("hard")).unwrap();
    desk.store.install(&desk.site, generation).unwrap();
    let other = desk.publish();
    desk.store.remove(&desk.site, &[generation]).unwrap();
    assert_eq!(desk.entries(), [other.to_string()]);
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "kept");
}

#[test]
fn a_generation_that_became_a_link_is_unlinked() {
    let desk = Desk::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "kept").unwrap();
    let generation = desk.publish();
    fs::remove_dir_all(desk.folder(generation)).unwrap();
    symlink(outside.path(), desk.folder(generation)).unwrap();
    desk.store.remove(&desk.site, &[generation]).unwrap();
    assert_eq!(desk.entries(), Vec::<String>::new());
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "kept");
}

#[test]
fn what_a_build_puts_in_the_place_of_its_folder_is_not_served() {
    let desk = Desk::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("precious"), "kept").unwrap();
    for kind in ["link", "file", "nothing"] {
        let generation = desk.prepare();
        let candidate = desk.candidate(generation);
        fs::remove_dir(&candidate).unwrap();
        match kind {
            "link" => symlink(outside.path(), &candidate).unwrap(),
            "file" => fs::write(&candidate, "x").unwrap(),
            _ => {}
        }
        let error = desk.store.install(&desk.site, generation).unwrap_err();
        assert!(error.with_causes().contains("no folder of its own where it was told to build"), "{kind}: {error}");
        desk.store.remove(&desk.site, &[generation]).unwrap();
        assert_eq!(desk.entries(), Vec::<String>::new(), "{kind}");
    }
    assert_eq!(fs::read_to_string(outside.path().join("precious")).unwrap(), "kept");
    // Another folder that was moved there is what the build wants to be served.
    let generation = desk.prepare();
    fs::create_dir(desk.temp.path().join("dist")).unwrap();
    fs::write(desk.temp.path().join("dist/page"), "x").unwrap();
    fs::remove_dir(desk.candidate(generation)).unwrap();
    fs::rename(desk.temp.path().join("dist"), desk.candidate(generation)).unwrap();
    desk.store.install(&desk.site, generation).unwrap();
    assert!(desk.folder(generation).join("page").exists());
}

#[test]
fn hostile_contents_are_made_durable_and_removed() {
    let desk = Desk::new();
    let generation = desk.prepare();
    let candidate = desk.candidate(generation);
    rustix::fs::mknodat(rustix::fs::CWD, candidate.join("fifo"), rustix::fs::FileType::Fifo, rustix::fs::Mode::RWXU, 0)
        .unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(candidate.join("socket")).unwrap();
    fs::write(candidate.join("unreadable"), "x").unwrap();
    fs::set_permissions(candidate.join("unreadable"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::write(candidate.join("-rf *\n"), "x").unwrap();
    fs::create_dir_all(candidate.join("closed/inner")).unwrap();
    fs::write(candidate.join("closed/inner/file"), "x").unwrap();
    fs::set_permissions(candidate.join("closed/inner"), fs::Permissions::from_mode(0o0)).unwrap();
    fs::set_permissions(candidate.join("closed"), fs::Permissions::from_mode(0o500)).unwrap();
    desk.store.install(&desk.site, generation).unwrap();
    desk.store.remove(&desk.site, &[generation]).unwrap();
    assert_eq!(desk.entries(), Vec::<String>::new());
}

#[test]
fn trees_deeper_than_any_path_and_wider_than_one_sync_are_made_durable_and_removed() {
    let desk = Desk::new();
    let generation = desk.prepare();
    let candidate = desk.candidate(generation);
    for number in 0..200 {
        fs::write(candidate.join(format!("{number}.html")), "x").unwrap();
    }
    let mut folder = OwnFolder::open(&candidate).unwrap();
    for _ in 0..3000 {
        folder = folder.new_subfolder("deep").unwrap();
    }
    drop(folder);
    desk.store.install(&desk.site, generation).unwrap();
    desk.store.remove(&desk.site, &[generation]).unwrap();
    assert_eq!(desk.entries(), Vec::<String>::new());
}

#[test]
fn removing_what_is_not_there_is_done() {
    let desk = Desk::new();
    let kept = desk.publish();
    desk.store.remove(&desk.site, &[Generation::new(1, 2), Generation::new(3, 4)]).unwrap();
    assert_eq!(desk.entries(), [kept.to_string()]);
}

#[test]
fn a_folder_that_is_a_file_is_told_with_its_path() {
    let desk = Desk::new();
    fs::write(desk.temp.path().join(".devloop/artifacts"), "in the way").unwrap();
    let told = desk.store.prepare(&desk.site).unwrap_err().with_causes();
    assert!(told.contains(".devloop/artifacts'") && told.contains("Not a directory"), "{told}");
}

#[test]
fn orders_are_answered_in_their_order_and_the_end_waits_for_them() {
    let desk = Desk::new();
    let heard: Arc<Mutex<Vec<(TaskId, ArtifactAnswer)>>> = Arc::default();
    let told = Arc::clone(&heard);
    let hear = move |task, answer| told.lock().unwrap().push((task, answer));
    let mut store = ArtifactStore::new(&desk.store.state_file, Arc::new(hear));
    store.order(TaskId(1), desk.site.clone(), ArtifactOrder::Find);
    store.order(TaskId(2), desk.site.clone(), ArtifactOrder::Prepare);
    store.order(TaskId(3), desk.site.clone(), ArtifactOrder::Install(Generation::new(1, 1)));
    store.order(TaskId(4), desk.site.clone(), ArtifactOrder::Remove(vec![Generation::new(1, 1)]));
    drop(store);
    let heard = heard.lock().unwrap();
    let tasks: Vec<u64> = heard.iter().map(|(task, _)| task.0).collect();
    assert_eq!(tasks, [1, 2, 3, 4]);
    assert_eq!(heard[0].1, ArtifactAnswer::Found(Vec::new()));
    assert!(matches!(heard[1].1, ArtifactAnswer::Prepared(_)), "{heard:?}");
    assert!(matches!(heard[2].1, ArtifactAnswer::Failed(_)), "{heard:?}");
    assert_eq!(heard[3].1, ArtifactAnswer::Removed);
}

#[test]
fn two_sessions_never_work_in_one_folder() {
    let desk = Desk::new();
    let generation = desk.prepare();
    let other = Store::new(&desk.temp.path().join(".devloop/other.json"));
    let told = other.find(&desk.site).unwrap_err().with_causes();
    assert!(told.contains("another session publishes in the folder"), "{told}");
    other.prepare(&desk.site).unwrap_err();
    assert!(desk.candidate(generation).exists());
    let Desk { store, site, temp: _temp } = desk;
    drop(store);
    assert_eq!(other.find(&site).unwrap(), []);
}
