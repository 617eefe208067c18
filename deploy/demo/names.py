"""Names in many scripts, with the ones that break careless programs."""

from typing import NamedTuple


class Namestock(NamedTuple):
    """First and last names that go together, and the locale they are at home in."""

    locale: str
    first_names: tuple[str, ...]
    last_names: tuple[str, ...]


def _stock(locale: str, first_names: str, last_names: str) -> Namestock:
    return Namestock(locale, tuple(first_names.split()), tuple(last_names.split()))


NAMESTOCKS = (
    _stock("en", "Ada Grace Alan Barbara Edsger Katherine Tony", "Lovelace Hopper Turing O'Neil"),
    _stock("de-CH", "Zoë Jürgen Käthe Sören Anneliese Björn", "Müller Groß Weiß Bößwetter"),
    _stock("fr", "Chloé Jean-Luc Anaïs François Héloïse Noël", "D'Arcy Lefèvre Garçon Élie-Dupré"),
    _stock("es-MX", "Íñigo María José Begoña Joaquín Ximena", "Muñoz Núñez Ibáñez García-López"),
    _stock("pl", "Łukasz Żaneta Stanisław Bożena Świętosława", "Wójcik Dąbrowski Łęcka Źdźbło"),
    _stock("vi", "Ngọc Thị Hương Phượng Đức Quỳnh", "Nguyễn Trần Phạm Đặng"),
    _stock("tr", "İbrahim Işıl Gül Çağla Özgür Şule", "Yılmaz Öztürk Şahin Doğan"),  # noqa: RUF001
    _stock("ru", "Анна Иван Мария Фёдор Юлия Сергей", "Каренина Щёкин Достоевский Ёлкина"),
    _stock("uk", "Їжак Ганна Соломія Євген Ярослав", "Шевченко Ґудзь Їжакевич Лисенко"),
    _stock("el", "Σοφία Ἀρχιμήδης Ελένη Γιώργος Χριστίνα", "Παπαδόπουλος Ωνάση Καζαντζάκης"),
    _stock("ar", "فاطمة محمد عائشة يوسف ليلى", "الخوارزمي ابن‌سينا حداد السيد"),
    _stock("he", "שרה דוד רחל נועם תמר", "כהן לוי בן־גוריון מזרחי"),
    _stock("fa", "پروین کیان ژاله گلنار", "اعتصامی فردوسی شیرازی"),
    _stock("hi", "आर्या प्रिया अर्जुन कृष्ण लक्ष्मी", "शर्मा गुप्ता त्रिपाठी श्रीवास्तव"),
    _stock("ta", "கார்த்திக் மீனா செல்வி அருண்", "இராமானுஜன் சுப்பிரமணியம்"),
    _stock("th", "สมชาย กัญญา ณัฐวุฒิ พิมพ์ชนก", "ศรีสุข วงศ์สวัสดิ์ ใจดี"),
    _stock("zh-Hans", "伟 芳 秀英 娜 子涵 𠮷", "王 李 欧阳 司马 张"),
    _stock("zh-Hant", "志明 春嬌 淑芬 家豪", "陳 林 諸葛 鍾"),
    _stock("ja", "花子 太郎 さくら ケンジ 翔", "山田 佐藤 鈴木 髙橋"),
    _stock("ko", "민준 서연 지우 하은", "김 이 박 남궁"),
    _stock("ka", "ნინო გიორგი თამარ", "ბერიძე კაპანაძე"),
    _stock("am", "አበበ ሰላም ትዕግስት", "ቢቂላ ገብረሥላሴ"),
    _stock("en-AU", "🦘 Zoe🎂 👩‍🚀 Max✨", "Kookaburra 🐨son 👨‍👩‍👧‍👦"),
)

AWKWARD_NAMES = (
    ("{{ first_name }}", "{% raw %}"),
    ("<b>Bold</b>", "</p><script>alert(1)</script>"),
    ("Robert'); DROP TABLE plan;--", "Tables"),
    ("%s %(name)s", "{0}"),
    ("Null", "None"),
    ("X", "Æ"),
    (".", "..leading dots"),
    ("Bcc: everyone@one.example", "Subject: hello"),
    ("=?utf-8?q?no?=", '"quoted", comma'),
    ("W" * 100, "ж" * 100),
    ("\\r\\n", "back\\slash"),
    ("Ana  Maria", "de la Cruz y Borbón"),
)
